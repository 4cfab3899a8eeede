/* The paths of a connection: subflows for the pairs that `paths` wishes, and what the two hosts tell each other. */
#include <errno.h>

#include "mptcp/conn.h"
#include "mptcp/outflow.h"
#include "wire/keys.h"

/* SYNs of a join: 15 seconds. Then other pairs have their turn before it. */
#define JOIN_SYNS_MAX 4u
/* A subflow that does not answer for so long has its addresses served by others. */
#define SILENCE_NS NS_PER_S
/* What is not answered is told again so soon; where another signal would be one too many, once its row has ended. */
#define REPEAT_NS NS_PER_S
/* RFC 8684 3.4.2: the answer to the keepalive has so many round trips. */
#define KEEPALIVE_ROUNDS 2u
/* And so many keepalives go to the last subflow before it counts as lost, a timeout after the first, then two, four...
 */
#define LAST_KEEPALIVES 8u

static struct counters *counters_of(struct conn *conn) { return &conn->host->tcp.counters; }

/* ---- the view ---- */

static bool is_silent(const struct tcp *tcp, uint64_t now_ns)
{
    return tcp->liveness.unanswered_since_ns && now_ns - tcp->liveness.unanswered_since_ns >= SILENCE_NS;
}

static enum path_state state_of(const struct subflow *subflow, uint64_t now_ns)
{
    const struct tcp *tcp = &subflow->tcp;
    if (tcp->state < TCPS_ESTABLISHED)
        return tcp->timeouts ? PATH_UNANSWERED : PATH_OPENING;
    if (!subflow_usable(subflow))
        return join_proof_is_doubtful(&subflow->join_proof) ? PATH_UNANSWERED : PATH_OPENING;
    return is_silent(tcp, now_ns) ? PATH_SILENT : PATH_UP;
}

/* One that is closing serves no address any more. */
static bool is_in_use(const struct tcp *tcp)
{
    return tcp->state != TCPS_CLOSED && (tcp->state < TCPS_ESTABLISHED || tcp_may_send(tcp));
}

static void look(const struct conn *conn, struct paths_view *view, struct subflow **subflows, uint64_t now_ns)
{
    *view = (struct paths_view){.locals = conn->host->addresses, .local_count = conn->host->address_count};
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (!is_in_use(&subflow->tcp))
            continue;
        const struct tcp_config *c = &subflow->tcp.config;
        subflows[view->use_count] = subflow;
        view->uses[view->use_count++] = (struct path_use){&c->local, &c->remote, state_of(subflow, now_ns)};
    }
}

/* Slots of the subflows that can tell the peer something. */
static uint8_t tellers(const struct conn *conn)
{
    uint8_t slots = 0;
    EACH_SUBFLOW (it, conn)
        if (subflow_usable(subflow_at(it)))
            slots |= (uint8_t)(1u << subflow_at(it)->slot);
    return slots;
}

static const struct local_address *local_of(const struct conn *conn, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < conn->host->address_count; i++)
        if (hawser_addr_same_ip(&conn->host->addresses[i].addr, addr))
            return &conn->host->addresses[i];
    return NULL;
}

uint8_t conn_local_id(const struct conn *conn, const struct hawser_addr *addr)
{
    const struct local_address *local = local_of(conn, addr);
    return local ? paths_local_id(&conn->paths, local) : 0;
}

/* ---- time ---- */

static uint64_t keepalive_due(const struct subflow *subflow)
{
    const struct rtt *rtt = &subflow->tcp.rtt;
    uint64_t later_ns = ((UINT64_C(1) << (subflow->doubts - 1)) - 1) * rtt_rto(rtt);
    return subflow->doubted_ns + KEEPALIVE_ROUNDS * rtt->srtt_ns + 4 * rtt->rttvar_ns + later_ns;
}

static bool is_over(const struct conn *conn)
{
    bool both_ended = conn->data_tx.fin == DATA_FIN_ACKED && data_rx_is_over(&conn->data_rx);
    return conn->fallback.mode != CONN_MPTCP || conn->endings.error || both_ended ||
           (subflows_over(&conn->subflows) && !endings_awaits_rescue(&conn->endings));
}

static uint64_t paths_due(const struct conn *conn)
{
    uint64_t due_ns = TIME_NEVER;
    if (is_over(conn))
        return due_ns;
    due_ns = paths_deadline(&conn->paths);
    EACH_SUBFLOW (it, conn)
        if (subflow_at(it)->doubted_ns)
            due_ns = HW_MIN(due_ns, keepalive_due(subflow_at(it)));
    return due_ns;
}

void conn_paths_changed(struct conn *conn)
{
    if (identity_confirmed(&conn->identity))
        paths_look_again(&conn->paths);
    conn_touch(conn);
}

/* ---- subflows ---- */

static void join(struct conn *conn, const struct path_wish *wish, uint64_t now_ns)
{
    struct subflow *subflow;
    if (conn_add_subflow(conn, wish->local, 0, &wish->remote, now_ns, &subflow) < 0) {
        (void)paths_ended(&conn->paths, &conn->account, wish->local, &wish->remote, PATH_END_UNANSWERED, now_ns);
        return;
    }
    subflow->join = true;
    subflow->remote_id = wish->remote_id;
    subflow->local_id = paths_local_id(&conn->paths, wish->local);
    join_proof_begin(&subflow->join_proof, &conn->host->tcp.env);
    (void)tcp_connect(&subflow->tcp, now_ns); /* without memory the subflow stays closed and is reaped */
}

static void open_wished(struct conn *conn, uint64_t now_ns)
{
    struct paths_view view;
    struct path_wish wish;
    struct subflow *subflows[SUBFLOWS_MAX];
    for (look(conn, &view, subflows, now_ns); paths_next_untried(&conn->paths, &view, now_ns, &wish);
         look(conn, &view, subflows, now_ns))
        join(conn, &wish, now_ns);
    for (unsigned i = 0; i < view.use_count; i++)
        if (paths_is_idle(&view, i))
            tcp_abort(&subflows[i]->tcp, -ETIMEDOUT, now_ns);
    if (endings_awaits_rescue(&conn->endings) && subflows_closed(&conn->subflows) &&
        paths_exhausted(&conn->paths, &view)) {
        conn_fail(conn, conn->endings.lost_error);
        conn_forget_disorder(conn);
        conn_wake(conn);
    }
}

static void speak_up(struct conn *conn, uint64_t now_ns)
{
    uint64_t repeat_ns = SIGNAL_ROW_NS;
    EACH_SUBFLOW (it, conn) {
        subflow_end_row(subflow_at(it), now_ns);
        if (subflow_usable(subflow_at(it)) && subflow_may_signal(subflow_at(it)))
            repeat_ns = REPEAT_NS;
    }
    unsigned given_up = paths_turn(&conn->paths, &conn->account, tellers(conn), repeat_ns, now_ns);
    count_n(counters_of(conn), COUNT_MPTCP_ADD_ADDR_LOST, given_up);
    EACH_SUBFLOW (it, conn)
        if (subflow_usable(subflow_at(it)) && paths_owes(&conn->paths, subflow_at(it)->slot))
            tcp_signal_now(&subflow_at(it)->tcp);
}

static void ask_doubted(struct subflow *subflow)
{
    subflow->doubts++;
    tcp_signal_now(&subflow->tcp); /* so that the timestamp of the answer tells that it is one */
    tcp_probe_now(&subflow->tcp);
}

/* RFC 8684 3.4.2: the peer said that the address is gone, and there was no answer to the keepalive. The last subflow
 * does not go for one that may have been lost. */
static void judge_doubted(struct conn *conn, uint64_t now_ns)
{
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (!subflow->doubted_ns || keepalive_due(subflow) > now_ns)
            continue;
        if (subflow->doubts < LAST_KEEPALIVES && !subflows_have_other(&conn->subflows, subflow)) {
            ask_doubted(subflow);
            continue;
        }
        subflow->doubted_ns = 0;
        tcp_abort(&subflow->tcp, -ENETUNREACH, now_ns);
    }
}

uint64_t conn_paths_settle(struct conn *conn, uint64_t now_ns)
{
    uint64_t due_ns = paths_due(conn);
    if (due_ns > now_ns)
        return due_ns;
    judge_doubted(conn, now_ns);
    speak_up(conn, now_ns);
    if (paths_wish_due(&conn->paths) <= now_ns)
        open_wished(conn, now_ns);
    return paths_due(conn);
}

void conn_paths_confirmed(struct conn *conn)
{
    for (unsigned i = 0; i < conn->host->address_count; i++)
        count_n(counters_of(conn), COUNT_LIMIT_ANNOUNCEMENTS,
                !paths_local_added(&conn->paths, &conn->account, &conn->host->addresses[i]));
    conn_paths_changed(conn);
}

bool conn_paths_has_others(const struct subflow *last)
{
    const struct conn *conn = last->conn;
    const struct tcp_config *c = &last->tcp.config;
    const struct paths_view view = {.locals = conn->host->addresses, .local_count = conn->host->address_count};
    return paths_has_others(&conn->paths, &view, &c->local, &c->remote);
}

void conn_paths_rescue(struct subflow *last, int error, uint64_t now_ns)
{
    struct conn *conn = last->conn;
    const struct ending_facts facts = conn_ending_facts(conn);
    bool anew = endings_lose(&conn->endings, &facts, error, now_ns);
    conn_paths_subflow_closed(last, now_ns);
    paths_begin_rescue(&conn->paths, anew);
}

void conn_paths_subflow_up(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    paths_end_rescue(&conn->paths);
    endings_recover(&conn->endings);
    if (data_tx_fin_waits(&conn->data_tx)) /* nobody was there to repeat it */
        tcp_signal_now(&subflow->tcp);
    conn_paths_changed(conn);
}

void conn_paths_subflow_silent(struct subflow *subflow, uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    if (subflow->join && tcp->state == TCPS_SYN_SENT && tcp->handshake_tries >= JOIN_SYNS_MAX)
        tcp_abort(tcp, -ETIMEDOUT, now_ns);
    if (tcp->state < TCPS_ESTABLISHED || is_silent(tcp, now_ns))
        conn_paths_changed(subflow->conn);
}

static enum path_end end_of(const struct subflow *subflow)
{
    bool opening = subflow->stage == SUBFLOW_OPENING || subflow->stage == SUBFLOW_PROVING;
    if (subflow->join && opening)
        return subflow->tcp.error == -ETIMEDOUT ? PATH_END_UNANSWERED : PATH_END_REFUSED;
    if (subflow_is_useless(subflow) || subflow->closed_for_good) /* RFC 8684 3.6: on this path it is permanent */
        return PATH_END_USELESS;
    return subflow->tcp.error == 0 ? PATH_END_CLOSED : PATH_END_LOST;
}

void conn_paths_subflow_closed(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    const struct local_address *local = local_of(conn, &subflow->tcp.config.local);
    bool address_gone = subflow->tcp.error == -EADDRNOTAVAIL || subflow->tcp.error == -ENETUNREACH;
    if (is_over(conn) || subflow->passive)
        return;
    if (local && !address_gone)
        count_n(
            counters_of(conn), COUNT_LIMIT_PAIRS,
            !paths_ended(&conn->paths, &conn->account, local, &subflow->tcp.config.remote, end_of(subflow), now_ns));
    conn_paths_changed(conn);
}

/* ---- addresses of ours ---- */

void conn_address_added(struct conn *conn, const struct local_address *local)
{
    if (is_over(conn) || !identity_confirmed(&conn->identity))
        return;
    count_n(counters_of(conn), COUNT_LIMIT_ANNOUNCEMENTS, !paths_local_added(&conn->paths, &conn->account, local));
    conn_paths_changed(conn);
}

void conn_address_removed(struct conn *conn, const struct local_address *local, uint64_t now_ns)
{
    if (!is_over(conn))
        count_n(counters_of(conn), COUNT_LIMIT_ANNOUNCEMENTS,
                !paths_local_removed(&conn->paths, &conn->account, local));
    EACH_SUBFLOW (it, conn)
        if (hawser_addr_same_ip(&subflow_at(it)->tcp.config.local, &local->addr))
            tcp_abort(&subflow_at(it)->tcp, -EADDRNOTAVAIL, now_ns);
    conn_paths_changed(conn);
}

/* ---- what the peer tells ---- */

void conn_take_add_addr(struct subflow *subflow, const struct mp_add_addr *add, uint64_t now_ns)
{
    static const enum counter news[] = {[PATHS_LEARNED] = COUNT_MPTCP_ADD_ADDR_IN,
                                        [PATHS_INVALID] = COUNT_DROP_ADD_ADDR_INVALID,
                                        [PATHS_LIMITED] = COUNT_DROP_ADD_ADDR_LIMIT};
    struct conn *conn = subflow->conn;
    if (add->echo) {
        paths_echoed(&conn->paths, &conn->account, add->address_id);
        return;
    }
    struct mp_add_addr plain = *add;
    if (mptcp_add_addr_hmac(conn->identity.remote_key, conn->identity.local_key, &plain) != add->hmac64) {
        count(counters_of(conn), COUNT_DROP_ADD_ADDR_HMAC);
        return;
    }
    count_n(counters_of(conn), COUNT_LIMIT_ECHOES, !paths_owe_echo(&conn->paths, &conn->account, add));
    const struct paths_view view = {.locals = conn->host->addresses, .local_count = conn->host->address_count};
    enum paths_news result = paths_add_addr(&conn->paths, &conn->account, &view, add, now_ns);
    if (result != PATHS_NO_NEWS)
        count(counters_of(conn), news[result]);
    tcp_signal_now(&subflow->tcp);
    conn_paths_changed(conn);
}

static void doubt(struct subflow *subflow, uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    if (tcp->state < TCPS_ESTABLISHED) {
        tcp_abort(tcp, -ENETUNREACH, now_ns);
        return;
    }
    if (subflow->doubted_ns) /* it is told more than once */
        return;
    subflow->doubted_ns = now_ns;
    subflow->doubts = 0;
    ask_doubted(subflow);
    subflow->stale = true;
    conn_reinject(subflow);
}

void conn_take_remove_addr(struct conn *conn, const struct mp_remove_addr *remove, uint64_t now_ns)
{
    for (unsigned i = 0; i < remove->count; i++) {
        paths_remove_addr(&conn->paths, remove->ids[i]);
        EACH_SUBFLOW (it, conn)
            if (subflow_at(it)->remote_id == remove->ids[i] && is_in_use(&subflow_at(it)->tcp))
                doubt(subflow_at(it), now_ns);
    }
    conn_paths_changed(conn);
}

void conn_paths_note_answer(struct subflow *subflow, const struct tcp_segment *segment, uint64_t now_ns)
{
    const struct tcp *tcp = &subflow->tcp;
    if (!subflow->doubted_ns)
        return;
    bool answered = tcp->ts.used ? tcp_echoes_since(tcp, segment, subflow->doubted_ns)
                                 : now_ns - subflow->doubted_ns >= tcp->rtt.min_ns;
    if (!answered)
        return;
    subflow->doubted_ns = 0;
    if (!tcp->flight || !tcp->flight->alive_pending) {
        subflow->stale = false;
        outflow_forget_reinjection(&subflow->conn->data_tx, subflow);
    }
}

/* ---- options ---- */

void conn_paths_write(struct subflow *subflow, struct tcp_options *options)
{
    struct conn *conn = subflow->conn;
    struct mptcp_options *mp = &options->mp;
    if (!paths_owes(&conn->paths, subflow->slot) || !subflow_may_signal(subflow))
        return;
    const struct paths_view view = {.locals = conn->host->addresses, .local_count = conn->host->address_count};
    paths_write(&conn->paths, &view, subflow->slot, mp);
    if (mptcp_has(mp, MPTCP_ADD_ADDR) && !mp->add_addr.echo)
        mp->add_addr.hmac64 = mptcp_add_addr_hmac(conn->identity.local_key, conn->identity.remote_key, &mp->add_addr);
    if (!tcp_options_fit(options)) /* beside a REMOVE_ADDR */
        mp->present &= (uint16_t) ~(1u << MPTCP_ADD_ADDR);
}

void conn_paths_sent(struct subflow *subflow, const struct mptcp_options *sent)
{
    struct conn *conn = subflow->conn;
    if (!mptcp_has(sent, MPTCP_ADD_ADDR) && !mptcp_has(sent, MPTCP_REMOVE_ADDR))
        return;
    bool first = paths_sent(&conn->paths, &conn->account, subflow->slot, sent);
    count_n(counters_of(conn), COUNT_MPTCP_ADD_ADDR_OUT, first);
    /* It took the place of a DATA_ACK that somebody may wait for; or there is more to tell. */
    if (!mptcp_has(sent, MPTCP_DSS) || (paths_owes(&conn->paths, subflow->slot) && subflow_may_signal(subflow)))
        tcp_signal_now(&subflow->tcp);
}
