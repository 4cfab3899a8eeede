#include "sim/wrap.h"

#include "stack/stack.h"
#include "wire/keys.h"

/* The wrap comes within this many bytes of the start of a stream. */
#define SUBFLOW_WRAP_BYTES (UINT32_C(1) << 18)
#define DATA_WRAP_BYTES (UINT64_C(1) << 20)

static struct initial_numbers initial_numbers(struct mp_host *host, const struct hawser_addr *local,
                                              const struct hawser_addr *remote, uint64_t now_ns)
{
    struct initial_numbers numbers = stack_host_ops.initial_numbers(host, local, remote, now_ns);
    numbers.iss = 0 - numbers.iss % SUBFLOW_WRAP_BYTES;
    return numbers;
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
    ops->initial_numbers = initial_numbers;
    ops->derive = derive;
    stack->host.ops = ops;
}
