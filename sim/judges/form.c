/* Every packet is well formed, and no longer than the peer takes (RFC 9293 3.1 and 3.7.1, RFC 8684 3). */
#include "sim/judges/rules.h"

/* RFC 9293 3.7.1; and what a host may take for granted of a peer that names less. */
#define MSS_DEFAULT_V4 536u
#define MSS_DEFAULT_V6 1220u
#define MSS_FLOOR 88u

bool form_good(const struct judge_host *at, const struct seen *seen, bool is_tcp)
{
    if (!is_tcp || seen->fault)
        world_violation(at->all->world, "packet-form", "%s sends %s", at->host->node.name, seen->fault);
    else if (seen->option_fault)
        world_violation(at->all->world, "option-form", "%s sends a wrong option: %s", at->host->node.name,
                        seen->option_fault);
    return is_tcp && !seen->fault && !seen->option_fault;
}

void form_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns)
{
    (void)now_ns;
    uint32_t mss = hawser_addr_is_v4(&s->remote) ? MSS_DEFAULT_V4 : MSS_DEFAULT_V6;
    if (s->peer_has_mss)
        mss = HW_MAX(s->peer_mss, MSS_FLOOR);
    if (seen->len && seen->len + seen->option_bytes > mss)
        judge_says(s, "mss", "%u bytes with %u of options; the peer takes %u", seen->len, seen->option_bytes, mss);
}
