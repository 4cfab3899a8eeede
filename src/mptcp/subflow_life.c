#include "mptcp/subflow_life.h"

#include <errno.h>
#include <string.h>

#include "mptcp/dss.h"

void subflow_free(struct mp_host *host, struct subflow *subflow)
{
    if (subflow->bound)
        host->ops->subflow_unbind(host, subflow);
    rx_mapping_destroy(&subflow->rx_mapping);
    tcp_destroy(&subflow->tcp);
    list_remove(&subflow->link);
    pool_put(&host->subflows, subflow);
}

static void begin(struct mp_host *host, struct subflow *subflow, const struct subflow_plan *plan, uint64_t now_ns)
{
    const struct local_address *local = plan->local;
    struct tcp_config config = {
        .local = local->addr,
        .remote = plan->remote,
        .mtu = (uint16_t)HW_MIN(local->mtu, UINT16_MAX),
        .path.mtu = path_mtus_find(&host->tcp.path_mtus, &local->addr, &plan->remote, now_ns),
        .gso_bytes = (uint16_t)HW_MIN(local->gso_bytes, UINT16_MAX),
        .link = local->link,
        .upper_overhead = plan->plain ? 0 : DSS_LEN_MAX,
        .patience = plan->patience,
    };
    config.local.port = plan->local_port;
    memset(subflow, 0, sizeof *subflow);
    subflow->conn = plan->owner;
    subflow->slot = plan->slot;
    subflow->due_ns = TIME_NEVER;
    list_init(&subflow->link);
    rx_mapping_init(&subflow->rx_mapping, &host->holds, &host->store, plan->arrivals);
    rx_mapping_retire(&subflow->rx_mapping, SSN_ORIGIN + 1); /* a first mapping is one of what is due next */
    tcp_init(&subflow->tcp, host->hooks, &host->tcp, &config, host->cc, plan->window_max);
}

int subflow_new(struct mp_host *host, const struct subflow_plan *plan, uint64_t now_ns, struct subflow **out)
{
    struct subflow *subflow = pool_get(&host->subflows);
    if (!subflow)
        return -ENOBUFS;
    begin(host, subflow, plan, now_ns);
    int err = host->ops->subflow_bind(host, subflow); /* settles the local port */
    if (err < 0) {
        subflow_free(host, subflow);
        return err;
    }
    subflow->bound = true;
    struct tcp_config *c = &subflow->tcp.config;
    const struct initial_numbers numbers = host->ops->initial_numbers(host, &c->local, &c->remote, now_ns);
    c->iss = numbers.iss;
    c->ts_offset = numbers.ts_offset;
    *out = subflow;
    return 0;
}
