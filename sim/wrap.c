#include "sim/wrap.h"

#include "stack/stack.h"
#include "wire/keys.h"

/* The wrap comes within this many bytes of the start of a stream. */
#define SUBFLOW_WRAP_BYTES (UINT32_C(1) << 18)
#define DATA_WRAP_BYTES (UINT64_C(1) << 20)

static uint32_t initial_sequence(struct mp_host *host, const struct hawser_addr *local,
                                 const struct hawser_addr *remote, uint64_t now_ns)
{
    return 0 - stack_host_ops.initial_sequence(host, local, remote, now_ns) % SUBFLOW_WRAP_BYTES;
}

uint64_t wrap_soon_idsn(uint64_t idsn) { return 0 - idsn % DATA_WRAP_BYTES; }

static void derive(uint64_t key, uint32_t *token, uint64_t *idsn)
{
    mptcp_key_derive(key, token, idsn);
    *idsn = wrap_soon_idsn(*idsn);
}

void wrap_soon_install(struct hawser_stack *stack, struct mp_host_ops *ops)
{
    *ops = stack_host_ops;
    ops->initial_sequence = initial_sequence;
    ops->derive = derive;
    stack->host.ops = ops;
}
