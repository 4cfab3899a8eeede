#include "mptcp/path_manager.h"

#include <errno.h>

#include "wire/keys.h"

/* SYNs of a join: 15 seconds. Then other pairs have their turn before it. */
#define JOIN_SYNS_MAX 4u
/* A subflow that does not answer for so long has its addresses served by others. */
#define SILENCE_NS NS_PER_S
/* So many round trips of the first subflow, but no less than its timeout, the end of the stream waits for joins. */
#define PATIENCE_ROUNDS 3u
#define PATIENCE_MAX_NS NS_PER_S
/* So many keepalives go to the last subflow before it counts as lost: a timeout after the first, then two, four... */
#define LAST_KEEPALIVES 8u

const struct local_address *path_manager_local(const struct path_manager *pm, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < pm->locals.count; i++)
        if (hawser_addr_same_ip(&pm->locals.list[i].addr, addr))
            return &pm->locals.list[i];
    return NULL;
}

/* ---- the view ---- */

static bool is_silent(const struct tcp *tcp, uint64_t now_ns)
{
    return tcp->liveness.unanswered_since_ns && now_ns - tcp->liveness.unanswered_since_ns >= SILENCE_NS;
}

static enum hawser_pm_state state_of(const struct subflow *subflow, uint64_t now_ns)
{
    const struct tcp *tcp = &subflow->tcp;
    if (tcp->state < TCPS_ESTABLISHED)
        return tcp->liveness.timeouts ? HAWSER_PM_UNANSWERED : HAWSER_PM_OPENING;
    if (!subflow_usable(subflow))
        return join_proof_is_doubtful(&subflow->join_proof) ? HAWSER_PM_UNANSWERED : HAWSER_PM_OPENING;
    return is_silent(tcp, now_ns) ? HAWSER_PM_SILENT : HAWSER_PM_UP;
}

/* One that is closing serves no address any more. */
static bool is_in_use(const struct tcp *tcp)
{
    return tcp->state != TCPS_CLOSED && (tcp->state < TCPS_ESTABLISHED || tcp_may_send(tcp));
}

/* Nor does one on which the peer sends no more, where none brings the rest of the stream (RFC 8684 3.3.3). */
static bool serves(const struct path_manager *pm, const struct tcp *tcp)
{
    bool ended = tcp->state == TCPS_CLOSE_WAIT && pm->end_missing && subflows_stranded(pm->subflows);
    if (tcp_rests(tcp)) /* it goes on with the next output */
        return path_manager_local(pm, &tcp->config.local);
    return is_in_use(tcp) && !ended;
}

static struct path_use use_of(const struct subflow *subflow, uint64_t now_ns)
{
    const struct tcp *tcp = &subflow->tcp;
    return (struct path_use){.local = &tcp->config.local,
                             .remote = &tcp->config.remote,
                             .state = state_of(subflow, now_ns),
                             .id = subflow->id,
                             .ours = !subflow->passive && subflow->join,
                             .backup_local = subflow->backup_local,
                             .backup_remote = subflow->backup_remote,
                             .srtt_ns = tcp->rtt.srtt_ns,
                             .sent_bytes = tcp_sent_bytes(tcp),
                             .recv_bytes = tcp_recv_bytes(tcp),
                             .heard_ns = tcp->liveness.heard_ns};
}

/* Subflows that serve their addresses; returns how many. */
static unsigned look(const struct path_manager *pm, struct path_use *uses, struct subflow **subflows, uint64_t now_ns)
{
    unsigned count = 0;
    LIST_EACH (it, pm->subflows) {
        struct subflow *subflow = subflow_at(it);
        if (!serves(pm, &subflow->tcp))
            continue;
        subflows[count] = subflow;
        uses[count++] = use_of(subflow, now_ns);
    }
    return count;
}

uint8_t path_manager_local_id(const struct path_manager *pm, const struct hawser_addr *addr)
{
    const struct local_address *local = path_manager_local(pm, addr);
    return local ? paths_local_id(pm->paths, local) : 0;
}

/* ---- addresses of which the peer says that they are gone (RFC 8684 3.4.2) ---- */

static void ask_doubted(struct subflow *subflow)
{
    subflow->doubts++;
    tcp_signal_now(&subflow->tcp); /* which says the time where acknowledgements are only under way */
    tcp_question_now(&subflow->tcp);
}

/* False: it was, not long ago. */
static bool doubt(struct subflow *subflow, uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    if (tcp->state < TCPS_ESTABLISHED) {
        tcp_abort(tcp, -ENETUNREACH, now_ns);
        return true;
    }
    /* It is told more than once. And whoever names the subflow that he speaks on answers himself, each time. */
    if (subflow->doubts || (subflow->doubted_ns && now_ns - subflow->doubted_ns < PATH_REPEAT_NS))
        return false;
    subflow->doubted_ns = now_ns;
    ask_doubted(subflow);
    subflow_set_stale(subflow, true);
    return true;
}

/* There was no answer to the keepalive. The last subflow does not go for one that may have been lost. */
void path_manager_judge(struct list *subflows, uint64_t now_ns)
{
    LIST_EACH (it, subflows) {
        struct subflow *subflow = subflow_at(it);
        if (!subflow->doubts || subflow_doubt_due(subflow) > now_ns)
            continue;
        if (subflow->doubts < LAST_KEEPALIVES && !subflows_have_other(subflows, subflow)) {
            ask_doubted(subflow);
            continue;
        }
        subflow->doubts = 0;
        tcp_abort(&subflow->tcp, -ENETUNREACH, now_ns);
    }
}

void path_manager_take_remove_addr(const struct path_manager *pm, const struct mp_remove_addr *remove, uint64_t now_ns)
{
    bool news = false;
    for (unsigned i = 0; i < remove->count; i++) {
        news |= paths_remove_addr(pm->paths, remove->ids[i]);
        LIST_EACH (it, pm->subflows)
            if (subflow_at(it)->remote_id == remove->ids[i] && is_in_use(&subflow_at(it)->tcp))
                news |= doubt(subflow_at(it), now_ns);
    }
    if (news)
        paths_note(pm->paths, HAWSER_PM_REMOTE_REMOVED);
}

void path_manager_note_answer(struct subflow *subflow, const struct tcp_segment *segment, uint64_t now_ns)
{
    const struct tcp *tcp = &subflow->tcp;
    if (!subflow->doubts)
        return;
    bool answered = tcp->ts.used ? tcp_echoes_since(tcp, segment, subflow->doubted_ns)
                                 : now_ns - subflow->doubted_ns >= tcp->rtt.min_ns;
    if (!answered)
        return;
    subflow->doubts = 0;
    if (!tcp->flight || !tcp->flight->alive_pending)
        subflow_set_stale(subflow, false);
}

/* ---- what is due ---- */

static bool may_speak(const struct subflow *subflow) { return subflow_usable(subflow) && subflow_may_signal(subflow); }

static bool any_answers(const struct path_manager *pm)
{
    LIST_EACH (it, pm->subflows)
        if (subflow_usable(subflow_at(it)) && subflow_alive(subflow_at(it)))
            return true;
    return false;
}

/* May it say what concerns no subflow alone? One that does not answer may not, as long as another one does. */
static bool speaks_for_all(const struct path_manager *pm, const struct subflow *subflow)
{
    return subflow_alive(subflow) || !any_answers(pm);
}

static bool owes(const struct path_manager *pm, const struct subflow *subflow)
{
    return paths_owes_on(pm->paths, subflow->slot) || (paths_owes_anywhere(pm->paths) && speaks_for_all(pm, subflow));
}

/* Of those that were not called yet, the one that has said least: what has no answer goes another way each time. */
static struct subflow *next_speaker(const struct path_manager *pm, bool answers)
{
    struct subflow *next = NULL;
    LIST_EACH (it, pm->subflows) {
        struct subflow *subflow = subflow_at(it);
        bool may = may_speak(subflow) && (!answers || subflow_alive(subflow));
        if (may && !subflow->tcp.acking.signal && (!next || subflow_signals(subflow) < subflow_signals(next)))
            next = subflow;
    }
    return next;
}

/* No more of them than have something to say: one that acknowledges anyway before one that would do so for this. */
static void call_speakers(const struct path_manager *pm)
{
    unsigned anywhere = paths_owes_anywhere(pm->paths);
    const bool answers = any_answers(pm);
    LIST_EACH (it, pm->subflows) {
        struct subflow *subflow = subflow_at(it);
        if (!may_speak(subflow))
            continue;
        if (paths_owes_on(pm->paths, subflow->slot))
            tcp_signal_now(&subflow->tcp);
        anywhere -= anywhere && subflow->tcp.acking.signal && (!answers || subflow_alive(subflow));
    }
    for (struct subflow *next; anywhere && (next = next_speaker(pm, answers)); anywhere--)
        tcp_signal_now(&next->tcp);
}

void path_manager_speak_up(const struct path_manager *pm, uint64_t now_ns)
{
    uint32_t tellers = 0; /* slots of the subflows that can tell the peer something */
    LIST_EACH (it, pm->subflows) {
        struct subflow *subflow = subflow_at(it);
        subflow_end_row(subflow, now_ns);
        tellers |= (uint32_t)subflow_usable(subflow) << subflow->slot;
    }
    unsigned given_up = paths_turn(pm->paths, pm->payer, tellers, PATH_REPEAT_NS, now_ns);
    count_n(pm->counters, COUNT_MPTCP_ADD_ADDR_LOST, given_up);
    call_speakers(pm);
}

uint64_t path_manager_due(const struct path_manager *pm, uint64_t now_ns)
{
    uint64_t wish_ns = paths_wish_due(pm->paths), word_ns = paths_deadline(pm->paths), open_ns = TIME_NEVER;
    if (word_ns == wish_ns)
        return wish_ns;
    LIST_EACH (it, pm->subflows)
        if (subflow_usable(subflow_at(it)))
            open_ns = HW_MIN(open_ns, subflow_signal_due(subflow_at(it), now_ns));
    return HW_MIN(wish_ns, HW_MAX(word_ns, open_ns));
}

/* ---- wishes ---- */

void path_manager_set_backup(const struct path_manager *pm, struct subflow *subflow, bool backup)
{
    if (subflow->backup_local == backup)
        return;
    subflow->backup_local = backup;
    count_n(pm->counters, COUNT_LIMIT_ANNOUNCEMENTS, !paths_tell_priority(pm->paths, pm->payer, subflow->slot));
}

/* By the path manager: one that is not up counts as unanswered. */
static void close_one(struct subflow *subflow, enum hawser_pm_state state, uint8_t reason, uint64_t now_ns)
{
    if (state == HAWSER_PM_OPENING || state == HAWSER_PM_UNANSWERED)
        tcp_abort(&subflow->tcp, -ETIMEDOUT, now_ns);
    else
        subflow_reset(subflow, reason, -ECANCELED, now_ns);
}

static void change(const struct path_manager *pm, const struct hawser_pm *wished, const struct path_use *uses,
                   struct subflow **subflows, uint64_t now_ns)
{
    for (unsigned i = 0; i < wished->used; i++) {
        if (wished->changed >> i & 1)
            path_manager_set_backup(pm, subflows[i], wished->subflows[i].backup_local);
        if (wished->subflows[i].state == HAWSER_PM_CLOSING)
            close_one(subflows[i], uses[i].state, wished->reasons[i], now_ns);
    }
}

void path_manager_decide(const struct path_manager *pm, struct path_wishes *wishes, uint64_t now_ns)
{
    struct path_use uses[SUBFLOWS_MAX];
    struct subflow *subflows[SUBFLOWS_MAX];
    struct hawser_pm wished;
    const struct paths_view view = {.locals = pm->locals,
                                    .uses = uses,
                                    .use_count = look(pm, uses, subflows, now_ns),
                                    .limit = pm->subflow_limit,
                                    .bytes = pm->bytes};
    path_policy_run(&wished, pm->paths, pm->payer, &view, now_ns);
    wishes->count = path_policy_opens(&wished);
    for (unsigned i = 0; i < wishes->count; i++)
        wishes->opens[i] = path_policy_open_at(&wished, i);
    change(pm, &wished, uses, subflows, now_ns);
    count_n(pm->counters, COUNT_LIMIT_ANNOUNCEMENTS, wished.untold);
    bool stranded = view.use_count == 0 && pm->end_missing && subflows_stranded(pm->subflows);
    bool none = wishes->count == 0 && (subflows_closed(pm->subflows) || stranded);
    wishes->in_vain = none && paths_exhausted(pm->paths, &pm->locals) && path_policy_is_done(&wished);
}

void path_manager_opened(const struct path_manager *pm, const struct path_wish *wish, struct subflow *subflow,
                         const struct hawser_env *env)
{
    subflow->join = true;
    subflow->backup_local = wish->backup;
    subflow->remote_id = wish->remote.id;
    subflow->local_id = paths_local_id(pm->paths, wish->local);
    join_proof_begin(&subflow->join_proof, env);
}

void path_manager_unopened(const struct path_manager *pm, const struct path_wish *wish, uint64_t now_ns)
{
    bool noted = paths_ended(pm->paths, pm->payer, wish->local, &wish->remote.addr, PATH_END_UNOPENED, now_ns);
    count_n(pm->counters, COUNT_LIMIT_PAIRS, !noted);
    paths_look_at(pm->paths, now_ns + PATH_REPEAT_NS);
}

bool path_manager_silent(struct subflow *subflow, uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    if (subflow->join && tcp->state == TCPS_SYN_SENT && tcp->handshake_tries >= JOIN_SYNS_MAX)
        tcp_abort(tcp, -ETIMEDOUT, now_ns);
    return tcp->state < TCPS_ESTABLISHED || is_silent(tcp, now_ns);
}

/* A router, or a filter of the peer's, did not let it through: that says nothing of other ways there, nor of the peer's
 * will, and anybody might say it. So it counts as silence, for the pair, with its back-off. */
static bool is_by_icmp(const struct tcp *tcp)
{
    return tcp->config.path.icmp_error && tcp->error == -tcp->config.path.icmp_error;
}

static enum path_end end_of(const struct subflow *subflow)
{
    bool opening = subflow->stage == SUBFLOW_OPENING || subflow->stage == SUBFLOW_PROVING;
    if (subflow->join && opening)
        return subflow->tcp.error == -ETIMEDOUT || is_by_icmp(&subflow->tcp) ? PATH_END_UNANSWERED : PATH_END_REFUSED;
    if (subflow_is_useless(subflow) || subflow->closed_for_good) /* RFC 8684 3.6: on this path it is permanent */
        return PATH_END_USELESS;
    return subflow->tcp.error == 0 ? PATH_END_CLOSED : PATH_END_LOST;
}

void path_manager_closed(const struct path_manager *pm, const struct subflow *subflow, uint64_t now_ns)
{
    const struct tcp_config *c = &subflow->tcp.config;
    const struct local_address *local = path_manager_local(pm, &c->local);
    bool address_gone =
        (subflow->tcp.error == -EADDRNOTAVAIL || subflow->tcp.error == -ENETUNREACH) && !is_by_icmp(&subflow->tcp);
    bool own_wish = subflow->tcp.error == -ECANCELED && !subflow_is_useless(subflow);
    paths_note(pm->paths, HAWSER_PM_SUBFLOW_DOWN);
    if (subflow->passive || !local || address_gone || own_wish)
        return;
    count_n(pm->counters, COUNT_LIMIT_PAIRS,
            !paths_ended(pm->paths, pm->payer, local, &c->remote, end_of(subflow), now_ns));
}

bool path_manager_admits(const struct path_manager *pm, const struct hawser_addr *local,
                         const struct hawser_addr *remote)
{
    const struct path_plan *plan = pm->paths->plan;
    return path_plan_allows(plan, local) && path_plan_owns(plan, local) && path_plan_allows(plan, remote);
}

bool path_manager_is_backup(const struct path_manager *pm, const struct hawser_addr *local)
{
    const struct local_address *own = path_manager_local(pm, local);
    return path_plan_is_backup(pm->paths->plan, local, own && own->backup);
}

/* One that was answered, or not yet due to be. */
static bool is_joining(const struct subflow *subflow)
{
    const struct tcp *tcp = &subflow->tcp;
    return subflow->join && !tcp->liveness.timeouts &&
           (tcp->state == TCPS_SYN_SENT || subflow->stage == SUBFLOW_PROVING);
}

uint64_t path_manager_patience(const struct path_manager *pm)
{
    const struct subflow *first = NULL;
    bool joining = false;
    LIST_EACH (it, pm->subflows) {
        const struct subflow *subflow = subflow_at(it);
        joining |= is_joining(subflow) && subflow->tcp.state != TCPS_CLOSED;
        first = first || !subflow_usable(subflow) ? first : subflow;
    }
    if (first && !identity_confirmed(pm->id)) /* it could not begin yet */
        joining = pm->paths->opens && path_manager_has_others(pm, first);
    if (!first || !joining)
        return 0;
    const struct rtt *rtt = &first->tcp.rtt;
    return HW_MIN(HW_MAX(PATIENCE_ROUNDS * rtt->srtt_ns, rtt_rto(rtt)), PATIENCE_MAX_NS);
}

bool path_manager_has_others(const struct path_manager *pm, const struct subflow *last)
{
    return paths_has_others(pm->paths, &pm->locals, &last->tcp.config.local, &last->tcp.config.remote);
}

/* ---- addresses ---- */

void path_manager_local_removed(const struct path_manager *pm, const struct local_address *local)
{
    count_n(pm->counters, COUNT_LIMIT_ANNOUNCEMENTS, !paths_local_removed(pm->paths, pm->payer, local));
}

void path_manager_local_left(const struct path_manager *pm, const struct subflow *subflow)
{
    const struct local_address left = {.addr = subflow->tcp.config.local, .id = subflow->local_id};
    if (pm->paths->confirmed)
        count_n(pm->counters, COUNT_LIMIT_ANNOUNCEMENTS, !paths_withdraw(pm->paths, pm->payer, &left));
}

void path_manager_local_moved(const struct path_manager *pm, const struct local_address *local)
{
    count_n(pm->counters, COUNT_LIMIT_ANNOUNCEMENTS, !paths_local_moved(pm->paths, pm->payer, local));
}

void path_manager_take_add_addr(const struct path_manager *pm, struct subflow *subflow, const struct mp_add_addr *add,
                                uint64_t now_ns)
{
    static const enum counter news[] = {[PATHS_LEARNED] = COUNT_MPTCP_ADD_ADDR_IN,
                                        [PATHS_INVALID] = COUNT_DROP_ADD_ADDR_INVALID,
                                        [PATHS_TAKEN] = COUNT_DROP_ADD_ADDR_INVALID,
                                        [PATHS_LIMITED] = COUNT_DROP_ADD_ADDR_LIMIT};
    if (add->echo) {
        paths_echoed(pm->paths, pm->payer, add->address_id);
        return;
    }
    uint64_t expected = mptcp_add_addr_hmac(pm->id->remote_key, pm->id->local_key, add);
    if (!secret_equal(&expected, &add->hmac64, sizeof expected)) {
        count(pm->counters, COUNT_DROP_ADD_ADDR_HMAC);
        return;
    }
    enum paths_news result = paths_add_addr(pm->paths, pm->payer, &pm->locals, add, now_ns);
    if (result != PATHS_TAKEN) /* which is to come again, after the removal */
        count_n(pm->counters, COUNT_LIMIT_ECHOES, !paths_owe_echo(pm->paths, pm->payer, add));
    if (result != PATHS_NO_NEWS)
        count(pm->counters, news[result]);
    tcp_signal_now(&subflow->tcp);
}

/* ---- options ---- */

void path_manager_write(const struct path_manager *pm, const struct subflow *subflow, struct tcp_options *options)
{
    struct mptcp_options *mp = &options->mp;
    if (!subflow_may_signal(subflow))
        return;
    paths_write(pm->paths, &pm->locals, subflow->slot, subflow->backup_local, mp);
    if (!speaks_for_all(pm, subflow))
        mp->present &= (uint16_t) ~(1u << MPTCP_ADD_ADDR);
    if (mptcp_has(mp, MPTCP_ADD_ADDR) && !mp->add_addr.echo)
        mp->add_addr.hmac64 = mptcp_add_addr_hmac(pm->id->local_key, pm->id->remote_key, &mp->add_addr);
    if (!tcp_options_fit(options)) /* beside a REMOVE_ADDR */
        mp->present &= (uint16_t) ~(1u << MPTCP_ADD_ADDR);
}

void path_manager_sent(const struct path_manager *pm, struct subflow *subflow, const struct mptcp_options *sent)
{
    subflow_count_signal(subflow);
    bool first = paths_sent(pm->paths, pm->payer, subflow->slot, sent);
    count_n(pm->counters, COUNT_MPTCP_ADD_ADDR_OUT, first);
    /* It took the place of a DATA_ACK that somebody may wait for; or there is more to tell. */
    if (!mptcp_has(sent, MPTCP_DSS) || (owes(pm, subflow) && subflow_may_signal(subflow)))
        tcp_signal_now(&subflow->tcp);
}
