#include "mptcp/subflows.h"

#include <errno.h>

uint32_t subflows_slots(const struct list *subflows)
{
    uint32_t taken = 0;
    LIST_EACH (it, subflows)
        taken |= UINT32_C(1) << subflow_at(it)->slot;
    return taken;
}

uint8_t subflows_free_slot(const struct list *subflows)
{
    uint32_t free_slots = ~subflows_slots(subflows);
    return free_slots ? (uint8_t)__builtin_ctz(free_slots) : SUBFLOWS_MAX;
}

unsigned subflows_alive(const struct list *subflows)
{
    unsigned n = 0;
    LIST_EACH (it, subflows)
        n += subflow_at(it)->tcp.state != TCPS_CLOSED;
    return n;
}

bool subflows_have_news(const struct list *subflows)
{
    LIST_EACH (it, subflows)
        if (subflow_at(it)->news)
            return true;
    return false;
}

/* A join that has not proved itself brings nothing. */
static bool is_join_only(const struct subflow *subflow)
{
    return subflow->join && (subflow->stage == SUBFLOW_OPENING || subflow->stage == SUBFLOW_PROVING);
}

static bool may_receive(const struct subflow *subflow)
{
    const struct tcp *tcp = &subflow->tcp;
    return tcp->state >= TCPS_SYN_SENT && tcp->state <= TCPS_FIN_WAIT_2 && !is_join_only(subflow);
}

bool subflows_lost(const struct list *subflows)
{
    LIST_EACH (it, subflows)
        if (subflow_at(it)->tcp.state != TCPS_CLOSED && !is_join_only(subflow_at(it)) &&
            !tcp_rests(&subflow_at(it)->tcp))
            return false;
    return true;
}

bool subflows_stranded(const struct list *subflows)
{
    LIST_EACH (it, subflows)
        if (may_receive(subflow_at(it)))
            return false;
    return true;
}

bool subflows_brought(const struct list *subflows)
{
    LIST_EACH (it, subflows)
        if (tcp_recv_bytes(&subflow_at(it)->tcp))
            return true;
    return false;
}

bool subflows_asked(const struct list *subflows)
{
    LIST_EACH (it, subflows)
        if (subflow_at(it)->tcp.acking.asked)
            return true;
    return false;
}

int subflows_silence(const struct list *subflows)
{
    int error = ETIMEDOUT;
    LIST_EACH (it, subflows)
        if (subflow_at(it)->tcp.config.path.icmp_error)
            error = subflow_at(it)->tcp.config.path.icmp_error;
    return -error;
}

bool subflows_over(const struct list *subflows)
{
    LIST_EACH (it, subflows) {
        enum tcp_state state = subflow_at(it)->tcp.state;
        if (state != TCPS_CLOSED && state != TCPS_TIME_WAIT)
            return false;
    }
    return true;
}

uint64_t subflows_slowest_ns(const struct list *subflows)
{
    uint64_t slowest_ns = 0;
    LIST_EACH (it, subflows)
        slowest_ns = HW_MAX(slowest_ns, subflow_at(it)->tcp.rtt.srtt_ns);
    return slowest_ns;
}

bool subflows_fin_acked(const struct list *subflows)
{
    LIST_EACH (it, subflows) {
        const struct tcp *tcp = &subflow_at(it)->tcp;
        if (tcp->fin_sent && tcp->snd_una == tcp->snd_nxt)
            return true;
    }
    return false;
}

bool subflows_have_other(const struct list *subflows, const struct subflow *leaving)
{
    LIST_EACH (it, subflows)
        if (subflow_at(it) != leaving && subflow_usable(subflow_at(it)))
            return true;
    return false;
}

bool subflows_have_successor(const struct list *subflows, const struct subflow *leaving)
{
    LIST_EACH (it, subflows)
        if (subflow_at(it) != leaving && subflow_trusted(subflow_at(it)))
            return true;
    return false;
}

void subflows_answer_fins(struct list *subflows, uint64_t now_ns)
{
    LIST_EACH (it, subflows)
        if (subflow_at(it)->tcp.state == TCPS_CLOSE_WAIT && subflows_have_successor(subflows, subflow_at(it)))
            tcp_shutdown(&subflow_at(it)->tcp, now_ns);
}

uint64_t subflows_due(const struct list *subflows)
{
    uint64_t due_ns = TIME_NEVER;
    LIST_EACH (it, subflows) {
        const struct subflow *subflow = subflow_at(it);
        if (subflow->news)
            return SUBFLOWS_HAVE_NEWS;
        due_ns = HW_MIN(due_ns, HW_MIN(subflow->tcp.due_ns, HW_MIN(subflow->due_ns, subflow_judge_due(subflow))));
    }
    return due_ns;
}

/* ---- as others see them ---- */

struct tx_paths subflows_tx_paths(const struct list *subflows, bool committed)
{
    struct tx_paths paths = {.committed = committed};
    LIST_EACH (it, subflows) {
        const struct subflow *subflow = subflow_at(it);
        const struct tcp *tcp = &subflow->tcp;
        paths.user_timeout_ns = user_timeout_in_force(&tcp->config.patience->user_timeout, true);
        paths.opening |= subflow_opening(subflow);
        paths.busy |= tcp_txq(tcp)->count && !subflow->stale && subflow_usable(subflow);
        if (!subflow_alive(subflow))
            continue;
        paths.rto_ns = HW_MAX(paths.rto_ns, rtt_rto(&tcp->rtt));
        if (!subflow_usable(subflow))
            continue;
        paths.timeout_ns = HW_MAX(paths.timeout_ns, rtt_rto(&tcp->rtt));
        paths.srtt_ns = HW_MAX(paths.srtt_ns, tcp->rtt.srtt_ns);
    }
    return paths;
}

size_t subflows_siblings(const struct list *subflows, struct hawser_sibling *out, size_t max)
{
    size_t n = 0;
    LIST_EACH (it, subflows) {
        const struct tcp *sibling = &subflow_at(it)->tcp;
        if (n < max && sibling->state >= TCPS_ESTABLISHED)
            out[n++] = (struct hawser_sibling){sibling->cc.cwnd_bytes, sibling->segment_bytes, sibling->rtt.srtt_ns};
    }
    return n;
}

/* ---- whom to trust ---- */

bool subflows_carry(const struct list *subflows, dsn64 at)
{
    LIST_EACH (it, subflows) {
        const struct subflow *subflow = subflow_at(it);
        if (subflow_alive(subflow) && !subflow->suspect_since_ns && subflow_holds(subflow, at))
            return true;
    }
    return false;
}

bool subflows_any_trusted(const struct list *subflows)
{
    LIST_EACH (it, subflows)
        if (subflow_trusted(subflow_at(it)))
            return true;
    return false;
}

void subflows_suspect(struct list *subflows, uint8_t first, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        if ((subflow->slot == first || subflow->carried_again) && subflow_trusted(subflow))
            subflow->suspect_since_ns = now_ns;
    }
    if (subflows_any_trusted(subflows))
        return;
    LIST_EACH (it, subflows)
        subflow_acquit(subflow_at(it));
}

void subflows_clear(struct list *subflows, uint32_t merit)
{
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        subflow->carried_again = false;
        if (merit >> subflow->slot & 1) {
            subflow_acquit(subflow);
            subflow->bare_acks = false;
        }
    }
}

/* ---- what all of them do ---- */

void subflows_note_unmapped(struct list *subflows, uint64_t now_ns)
{
    LIST_EACH (it, subflows)
        if (rx_mapping_may_wait(&subflow_at(it)->rx_mapping))
            subflow_note_unmapped(subflow_at(it), now_ns);
}

void subflows_resend(struct list *subflows, struct tx_batch *batch, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        tcp_begin_turn(&subflow_at(it)->tcp, now_ns);
        if (tcp_txq(&subflow_at(it)->tcp)->lost_bytes)
            tcp_output(&subflow_at(it)->tcp, batch, now_ns);
    }
}

void subflows_output(struct list *subflows, struct tx_batch *batch, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        tcp_output(&subflow_at(it)->tcp, batch, now_ns);
        tcp_update_persist(&subflow_at(it)->tcp, now_ns);
    }
}

void subflows_run_timers(struct list *subflows, bool farewell, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        if (subflow->tcp.due_ns <= now_ns)
            tcp_run_timers(&subflow->tcp, now_ns);
        if (subflow->due_ns <= now_ns)
            subflow_on_timer(subflow, farewell, now_ns);
    }
}

void subflows_judge(struct list *subflows, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        switch (subflow_judge(subflow, now_ns)) {
        case SUBFLOW_FINE:
            break;
        case SUBFLOW_UNMAPPED:
            subflow_give_up(subflow, COUNT_DROP_UNMAPPED, now_ns);
            break;
        case SUBFLOW_CONVICTED:
            if (subflows_any_trusted(subflows))
                subflow_give_up(subflow, COUNT_MPTCP_USELESS, now_ns);
            break;
        case SUBFLOW_HOARDING:
            count(&subflow->tcp.host->counters, COUNT_LIMIT_ASSEMBLY);
            subflow_reset(subflow, MP_RST_RESOURCES, -ENOBUFS, now_ns);
            break;
        }
    }
}

void subflows_give_up_answering(struct list *subflows, uint64_t now_ns)
{
    LIST_EACH (it, subflows)
        if (subflow_alive(subflow_at(it)))
            subflow_give_up(subflow_at(it), COUNT_MPTCP_USELESS, now_ns);
}

void subflows_end(struct list *subflows, bool plain, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        if (plain)
            tcp_shutdown(&subflow_at(it)->tcp, now_ns);
        else if (subflow_usable(subflow_at(it)))
            tcp_signal_now(&subflow_at(it)->tcp);
    }
}

void subflows_ask(struct list *subflows)
{
    LIST_EACH (it, subflows) {
        tcp_signal_now(&subflow_at(it)->tcp);
        tcp_question_now(&subflow_at(it)->tcp);
    }
}

/* RFC 8684 3.3.5: what may come by each is bounded by the connection's window and by what was said on it. */
void subflows_opened(struct list *subflows, uint32_t promised, struct data_rx_opening opening)
{
    if (opening.open == 0)
        return;
    LIST_EACH (it, subflows) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        if (tcp->state >= TCPS_ESTABLISHED && opening.open >= HW_MIN(promised, tcp_promised(tcp)) + opening.step)
            tcp_ack_now(tcp);
    }
}

bool subflows_ask_around(struct list *subflows, uint64_t now_ns)
{
    bool any = false, answers = false;
    LIST_EACH (it, subflows) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        if (tcp->state < TCPS_ESTABLISHED || tcp_rests(tcp))
            continue;
        any = true;
        answers |= tcp_ask(tcp, now_ns);
    }
    return answers || !any; /* with none left there are other bounds */
}

void subflows_answer(struct list *subflows, bool there, uint64_t now_ns)
{
    LIST_EACH (it, subflows)
        tcp_answer(&subflow_at(it)->tcp, there, now_ns);
}

void subflows_signal(struct list *subflows, bool probe)
{
    LIST_EACH (it, subflows) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        if (tcp_may_send(tcp) || tcp->state > TCPS_ESTABLISHED)
            tcp_signal_now(tcp);
        if (probe)
            tcp_probe_now(tcp);
    }
}

bool subflows_say_good_bye(struct list *subflows, uint64_t now_ns)
{
    bool known = false;
    LIST_EACH (it, subflows) {
        const struct tcp *tcp = &subflow_at(it)->tcp;
        known |= tcp->fin_sent && tcp->snd_una == tcp->snd_nxt;
        subflow_say_good_bye(subflow_at(it), now_ns);
    }
    return known;
}

void subflows_abort(struct list *subflows, int error, uint64_t now_ns)
{
    LIST_EACH (it, subflows)
        tcp_abort(&subflow_at(it)->tcp, error, now_ns);
}

void subflows_abort_others(struct list *subflows, const struct subflow *spared, int error, uint64_t now_ns)
{
    LIST_EACH (it, subflows)
        if (subflow_at(it) != spared)
            tcp_abort(&subflow_at(it)->tcp, error, now_ns);
}

void subflows_abort_from(struct list *subflows, const struct hawser_addr *local, int error, uint64_t now_ns)
{
    LIST_EACH (it, subflows)
        if (hawser_addr_same_ip(&subflow_at(it)->tcp.config.local, local) && !tcp_rests(&subflow_at(it)->tcp))
            tcp_abort(&subflow_at(it)->tcp, error, now_ns);
}
