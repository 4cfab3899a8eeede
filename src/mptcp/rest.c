#include "mptcp/rest.h"

#include <errno.h>

#include "mptcp/silence.h"

/* Of an address (FNV-1a). */
static uint64_t digest(const struct hawser_addr *addr)
{
    uint64_t sum = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof addr->ip; i++)
        sum = (sum ^ addr->ip[i]) * UINT64_C(1099511628211);
    return sum;
}

/* One that answers, elsewhere than at that address of ours. */
static bool has_substitute(const struct list *subflows, const struct hawser_addr *local)
{
    LIST_EACH (it, subflows) {
        const struct subflow *subflow = subflow_at(it);
        if (subflow_usable(subflow) && subflow_alive(subflow) &&
            !hawser_addr_same_ip(&subflow->tcp.config.local, local))
            return true;
    }
    return false;
}

/* What has something of its own to wait for, a proof, a word about a checksum or a good-bye, has its own bound. */
static bool may_rest(const struct subflow *subflow)
{
    const struct tcp *tcp = &subflow->tcp;
    bool open = tcp->state >= TCPS_ESTABLISHED && tcp->state != TCPS_TIME_WAIT;
    return open && subflow->stage == SUBFLOW_JOINED && subflow->due_ns == TIME_NEVER;
}

static void lie_down(struct subflow *subflow, const struct local_address *local, uint64_t now_ns)
{
    count(&subflow->tcp.host->counters, COUNT_TCP_RESTS);
    tcp_rest(&subflow->tcp, -EADDRNOTAVAIL, now_ns);
    silence_end(subflow, false);
    subflow->suspect_since_ns = 0;
    subflow->doubts = 0;
    subflow->stale = true;
    subflow->outside = digest(&local->outside);
    subflow->news |= SUBFLOW_RESTS;
}

bool rest_begin(struct list *subflows, const struct local_address *local, uint64_t now_ns)
{
    bool any = false;
    if (has_substitute(subflows, &local->addr))
        return false;
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        if (!may_rest(subflow) || !hawser_addr_same_ip(&subflow->tcp.config.local, &local->addr))
            continue;
        lie_down(subflow, local, now_ns);
        any = true;
    }
    return any;
}

unsigned rest_count(const struct list *subflows)
{
    unsigned n = 0;
    LIST_EACH (it, subflows)
        n += tcp_rests(&subflow_at(it)->tcp);
    return n;
}

void rest_ids(const struct list *subflows, struct address_ids *ids)
{
    LIST_EACH (it, subflows)
        if (tcp_rests(&subflow_at(it)->tcp))
            address_ids_put(ids, subflow_at(it)->local_id, true);
}

void rest_end(struct list *subflows, uint64_t now_ns)
{
    LIST_EACH (it, subflows)
        if (tcp_rests(&subflow_at(it)->tcp))
            tcp_abort(&subflow_at(it)->tcp, subflow_at(it)->tcp.error, now_ns);
}

/* Elsewhere, or by a link that takes less, it would be another subflow. */
static bool is_same(const struct subflow *subflow, const struct local_address *local)
{
    return digest(&local->outside) == subflow->outside && local->mtu >= subflow->tcp.config.mtu;
}

static void get_up(struct subflow *subflow, const struct local_address *local, uint64_t now_ns)
{
    struct tcp_config *c = &subflow->tcp.config;
    c->link = local->link;
    c->gso_bytes = (uint16_t)HW_MIN(local->gso_bytes, (uint32_t)c->gso_bytes);
    subflow->due_ns = TIME_NEVER;
    subflow->doubted_ns = 0;
    tcp_go_on(&subflow->tcp, now_ns);
    subflow_set_stale(subflow, false);
    tcp_run_timers(&subflow->tcp, now_ns); /* what else was due meanwhile is */
}

static void end(const struct path_manager *pm, struct subflow *subflow, uint64_t now_ns)
{
    path_manager_local_left(pm, subflow);
    tcp_abort(&subflow->tcp, subflow->tcp.error, now_ns);
}

/* A join took its place meanwhile: it goes, unless it has come to be. False: all places are taken. */
static bool has_place(const struct path_manager *pm, uint64_t now_ns)
{
    struct subflow *unfinished = NULL;
    unsigned others = 0;
    LIST_EACH (it, pm->subflows) {
        struct subflow *subflow = subflow_at(it);
        if (tcp_rests(&subflow->tcp) || subflow->tcp.state == TCPS_CLOSED || subflow->tcp.state == TCPS_TIME_WAIT)
            continue;
        others++;
        if (subflow->stage < SUBFLOW_JOINED)
            unfinished = subflow;
    }
    if (others >= pm->subflow_limit && unfinished) {
        tcp_abort(&unfinished->tcp, -ECANCELED, now_ns);
        others--;
    }
    return others < pm->subflow_limit;
}

bool rest_leave(const struct path_manager *pm, uint64_t now_ns)
{
    bool any = false;
    LIST_EACH (it, pm->subflows) {
        struct subflow *subflow = subflow_at(it);
        const struct local_address *local =
            tcp_rests(&subflow->tcp) ? path_manager_local(pm, &subflow->tcp.config.local) : NULL;
        if (!local)
            continue;
        bool same = is_same(subflow, local) && has_place(pm, now_ns) &&
                    paths_local_back(pm->paths, pm->payer, subflow->local_id, local);
        if (same)
            get_up(subflow, local, now_ns);
        else
            end(pm, subflow, now_ns);
        any |= same;
    }
    return any;
}

void rest_yield(const struct path_manager *pm, uint64_t now_ns)
{
    LIST_EACH (it, pm->subflows) {
        struct subflow *subflow = subflow_at(it);
        if (tcp_rests(&subflow->tcp) && has_substitute(pm->subflows, &subflow->tcp.config.local))
            end(pm, subflow, now_ns);
    }
}
