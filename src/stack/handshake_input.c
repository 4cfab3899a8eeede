/* What arrives of handshakes that others began: SYNs, and what ought to be their third packets. */
#include <errno.h>

#include "stack/stack.h"
#include "wire/bytes.h"
#include "wire/keys.h"

/* What echoes older ones was sent long after the SYN/ACK came: the third packet was lost. */
#define ECHO_MS_MAX 3000u

static struct counters *counters(struct hawser_stack *stack) { return &stack->host.tcp.counters; }

static void begin(struct hawser_stack *stack, struct handshake *h, const struct arrival *a, uint64_t now_ns)
{
    *h = (struct handshake){.local = a->local,
                            .remote = a->remote,
                            .link = (uint8_t)a->link,
                            .door = stack_has_door(stack, a->link),
                            .begun_ns = now_ns};
    tcp_read_terms(&h->terms, &a->segment, &a->remote, now_ns);
    const struct mp_host_ops *ops = stack->host.ops;
    const struct initial_numbers numbers = ops->initial_numbers(&stack->host, &a->local, &a->remote, now_ns);
    h->iss = numbers.iss;
    h->ts_offset = numbers.ts_offset;
}

static void open_at(struct handshake *h, struct hawser_listener *listener)
{
    h->listener = listener;
    h->user_timeout = user_timeout_encode(listener->options.advertised_user_timeout_ns);
}

static bool token_taken(struct hawser_stack *stack, uint64_t key)
{
    uint32_t token;
    uint64_t idsn;
    stack->host.ops->derive(key, &token, &idsn);
    return stack->host.ops->token_taken(&stack->host, token);
}

/* RFC 8684 3.1: a key whose token is taken, as it cannot be any other, is no offer. */
static void consider_capable(struct hawser_stack *stack, struct handshake *h, const struct mptcp_options *mp)
{
    bool wanted = !stack->host.no_mptcp && !h->listener->options.no_mptcp;
    if (!wanted || !identity_acceptable(mp) || mp->capable.has_sender_key || token_taken(stack, h->local_key))
        return;
    h->kind = HANDSHAKE_CAPABLE;
    h->capable_asked = true;
    h->checksums = stack->host.checksum_required || mp->capable.checksum_required;
    h->peer_refuses_joins = mp->capable.no_more_here;
}

/* As much as a SYN/ACK can say, or as little as a connection is offered when memory is scarce. */
static void offer_window(const struct hawser_stack *stack, struct handshake *h, uint32_t window_max)
{
    uint32_t most = account_is_pressed(&stack->host.memory.account) ? DATA_RX_WINDOW_MIN : UINT16_MAX;
    h->window_max = window_max;
    h->window = (uint16_t)HW_MIN(window_max, most);
}

/* Connections that get scarce are not for who has many. */
static bool may_open(struct hawser_stack *stack, const struct hawser_listener *listener, const struct hawser_addr *peer,
                     uint64_t now_ns)
{
    if (evict_admits(stack, listener->options.share, peer, now_ns))
        return true;
    count(counters(stack), COUNT_LIMIT_SHARES);
    return false;
}

void handshake_syn(struct hawser_stack *stack, struct hawser_listener *listener, const struct arrival *a,
                   uint64_t now_ns)
{
    struct handshakes *t = &stack->handshakes;
    struct handshake h;
    if (quota_full(&listener->acceptable)) {
        count(counters(stack), COUNT_DROP_BACKLOG);
        return; /* the peer asks again */
    }
    if (!may_open(stack, listener, &a->remote, now_ns))
        return;
    begin(stack, &h, a, now_ns);
    open_at(&h, listener);
    offer_window(stack, &h, listener->options.recv_buffer_bytes);
    enum handshake_room room = handshakes_make_room(t, &listener->half_open, HANDSHAKE_PLAIN, now_ns);
    if (room != HANDSHAKE_ROOM_FREE)
        listener->pressed_until_ns = now_ns + COOKIE_LIFE_NS;
    /* As long as records have to make way, the next of them has a cookie, by which its peer may still come in. */
    if (now_ns < listener->pressed_until_ns)
        h.iss = cookie_make(stack->secret, &h, now_ns);
    h.local_key = cookie_key(stack->secret, &h, now_ns);
    consider_capable(stack, &h, &a->options.mp);
    if (room != HANDSHAKE_ROOM_NONE) {
        if (!handshakes_add(t, &listener->half_open, &h))
            count(counters(stack), COUNT_DROP_NO_MEMORY);
    } else if (handshakes_answer(t, &h)) {
        count(counters(stack), COUNT_COOKIES_OUT);
    } else {
        count(counters(stack), COUNT_LIMIT_COOKIES);
    }
}

void handshake_request(struct hawser_stack *stack, struct hawser_listener *listener, const struct arrival *a,
                       uint64_t now_ns)
{
    struct handshake h;
    if (!may_open(stack, listener, &a->remote, now_ns))
        return;
    begin(stack, &h, a, now_ns);
    open_at(&h, listener);
    offer_window(stack, &h, listener->options.recv_buffer_bytes);
    h.local_key = cookie_key(stack->secret, &h, now_ns);
    consider_capable(stack, &h, &a->options.mp);
    requests_add(&stack->requests, &listener->requests, &h, a, listener->options.share, now_ns);
}

bool handshake_request_segment(struct hawser_stack *stack, struct hawser_request *r, const struct arrival *a,
                               uint64_t now_ns)
{
    struct requests *t = &stack->requests;
    const struct tcp_header *header = &a->segment.header;
    uint32_t irs = r->handshake.terms.irs;
    if (header->flags & TCP_RST) { /* RFC 5961 3.2 */
        bool exact = header->seq.v == irs + 1;
        count(counters(stack), exact ? COUNT_TCP_RESETS_IN : COUNT_DROP_BAD_RST);
        if (exact)
            requests_withdraw(t, r);
        return true;
    }
    if ((header->flags & (TCP_SYN | TCP_ACK | TCP_FIN)) != TCP_SYN)
        return false;
    if (header->seq.v == irs) {
        requests_repeat(t, r, a, now_ns);
        return true;
    }
    struct hawser_listener *listener = r->handshake.listener;
    requests_withdraw(t, r); /* RFC 9293 3.5.1: the client began anew */
    handshake_request(stack, listener, a, now_ns);
    return true;
}

/* RFC 8684 3.2: no connection of ours has this token. */
static void unknown_token(struct hawser_stack *stack, const struct arrival *a)
{
    count(counters(stack), COUNT_DROP_JOIN_TOKEN);
    replies_refuse_join(&stack->replies, a, MP_RST_MPTCP, counters(stack));
}

/* A door's connection is joined by that door, and at the address that its peer knows, for it is told of no other. */
static bool may_join_by(const struct hawser_stack *stack, const struct conn *conn, const struct arrival *a)
{
    const struct paths *p = &conn->paths;
    if (!conn->door)
        return !stack_has_door(stack, a->link);
    return p->link == a->link && hawser_addr_same_ip(&p->local, &a->local);
}

void handshake_join(struct hawser_stack *stack, const struct arrival *a, uint64_t now_ns)
{
    const struct mp_join *join = &a->options.mp.join;
    struct conn *conn = demux_token(stack, join->token);
    struct handshake h;
    if (!conn || !may_join_by(stack, conn, a)) {
        unknown_token(stack, a);
        return;
    }
    if (!conn_takes_joins(conn)) {
        count(counters(stack), COUNT_DROP_JOIN_REFUSED);
        replies_refuse_join(&stack->replies, a, MP_RST_MPTCP, counters(stack));
        return;
    }
    const struct path_manager pm = conn_path_manager(conn);
    if (!path_manager_admits(&pm, &a->local, &a->remote)) {
        count(counters(stack), COUNT_DROP_JOIN_PROHIBITED);
        replies_refuse_join(&stack->replies, a, MP_RST_PROHIBITED, counters(stack));
        return;
    }
    if (conn_is_full(conn, conn->subflow_limit)) {
        count(counters(stack), COUNT_LIMIT_SUBFLOWS);
        replies_refuse_join(&stack->replies, a, MP_RST_RESOURCES, counters(stack));
        return;
    }
    if (handshakes_make_room(&stack->handshakes, &conn->half_open, HANDSHAKE_JOIN, now_ns) == HANDSHAKE_ROOM_NONE) {
        count(counters(stack), COUNT_DROP_HALF_OPEN);
        return; /* the peer asks again */
    }
    begin(stack, &h, a, now_ns);
    h.kind = HANDSHAKE_JOIN;
    h.conn = conn;
    offer_window(stack, &h, data_rx_limit_max(&conn->data_rx));
    h.remote_id = join->address_id;
    h.remote_nonce = join->nonce;
    h.remote_backup = join->backup;
    h.local_backup = path_manager_is_backup(&pm, &a->local);
    h.local_id = path_manager_local_id(&pm, &a->local);
    stack->host.tcp.env.random(stack->host.tcp.env.ctx, &h.local_nonce, sizeof h.local_nonce);
    uint8_t proof[MPTCP_HMAC_LEN];
    mptcp_join_hmac(conn->identity.local_key, conn->identity.remote_key, h.local_nonce, h.remote_nonce, proof);
    h.hmac64 = get64(proof);
    if (!handshakes_add(&stack->handshakes, &conn->half_open, &h))
        count(counters(stack), COUNT_DROP_NO_MEMORY);
}

enum cookie handshake_rebuild(struct hawser_stack *stack, const struct arrival *a, struct handshake *h, uint64_t now_ns)
{
    const struct tcp_header *header = &a->segment.header;
    bool acks = (header->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK;
    struct hawser_listener *listener = acks ? demux_listener(stack, &a->local) : NULL;
    if (!listener || now_ns >= listener->pressed_until_ns)
        return COOKIE_NONE;
    begin(stack, h, a, now_ns);
    h->listener = listener;
    h->window_max = listener->options.recv_buffer_bytes;
    h->window = (uint16_t)HW_MIN(h->window_max, UINT16_MAX); /* at most, and what was promised counts */
    h->iss = header->ack.v - 1;
    h->terms.irs = header->seq.v - 1;
    enum cookie cookie = cookie_read(stack->secret, h, now_ns);
    if (cookie != COOKIE_OURS)
        return cookie;
    count(counters(stack), COUNT_COOKIES_IN);
    const struct mptcp_options *mp = &a->options.mp;
    bool offered = mptcp_has(mp, MPTCP_CAPABLE) && mp->capable.has_receiver_key;
    if (offered || mptcp_has(mp, MPTCP_DSS)) { /* what the SYN said, the third packet says again */
        h->kind = HANDSHAKE_CAPABLE;
        h->checksums = stack->host.checksum_required || (offered && mp->capable.checksum_required);
        h->peer_refuses_joins = offered && mp->capable.no_more_here;
    }
    return COOKIE_OURS;
}

/* RFC 9293 3.10.7.4 for SYN-RECEIVED: may the segment be a third packet? */
static bool is_third(struct hawser_stack *stack, const struct handshake *h, const struct arrival *a)
{
    const struct tcp_header *header = &a->segment.header;
    const struct tcp_options *o = &a->options;
    int32_t ahead = (int32_t)(header->seq.v - h->terms.irs - 1);
    if (h->terms.timestamps && o->present & TCP_OPT_TIMESTAMPS && (int32_t)(o->ts_val - h->terms.ts_recent) < 0) {
        count(counters(stack), COUNT_DROP_PAWS);
        return false;
    }
    if (ahead < 0 || ahead > h->window) {
        count(counters(stack), COUNT_DROP_OUT_OF_WINDOW);
        return false;
    }
    if (!(header->flags & TCP_ACK)) {
        count(counters(stack), COUNT_DROP_NO_ACK);
        return false;
    }
    if (header->ack.v != h->iss + 1) { /* RFC 5961 5.2 rather than the RST of RFC 9293: anybody could draw it */
        count(counters(stack), COUNT_DROP_BAD_ACK);
        return false;
    }
    return true;
}

/* RFC 7323 4.1: the echo tells it, whichever of several SYN/ACKs is answered, and where a cookie remembers none. 0:
 * nobody knows it. */
static uint64_t round_trip(const struct handshake *h, const struct tcp_options *o, uint64_t now_ns)
{
    if (h->tries == 1)
        return HW_MAX(now_ns - h->sent_ns, 1);
    if (!h->terms.timestamps || !(o->present & TCP_OPT_TIMESTAMPS))
        return 0;
    uint32_t ticks = (uint32_t)(now_ns / NS_PER_MS) + h->ts_offset - o->ts_ecr;
    return ticks <= ECHO_MS_MAX ? HW_MAX(ticks, 1u) * NS_PER_MS : 0;
}

static void open_tcp(struct subflow *subflow, const struct handshake *h, const struct arrival *a, uint64_t now_ns)
{
    const struct tcp_opened opened = {
        .terms = h->terms,
        .iss = h->iss,
        .ts_offset = h->ts_offset,
        .rcv_wnd = h->window,
        .window_max = h->window_max,
        .snd_wnd = (uint32_t)a->segment.header.window << h->terms.wscale,
        .rtt_ns = round_trip(h, &a->options, now_ns),
        .synack_lost = h->tries > 1,
    };
    tcp_open_passive(&subflow->tcp, &opened, now_ns);
}

/* RFC 8684 3.1: what the connection is, the third packet decides. False: it is not that, but overtook it. */
static bool settle(struct hawser_stack *stack, const struct handshake *h, const struct mptcp_options *mp,
                   struct conn_opened *out)
{
    *out = (struct conn_opened){.local_key = h->local_key};
    if (h->kind == HANDSHAKE_PLAIN)
        return true;
    if (!mptcp_has(mp, MPTCP_CAPABLE) || !mp->capable.has_receiver_key) {
        out->fallen_back = true;
        return !mptcp_has(mp, MPTCP_DSS);
    }
    /* What is not as agreed was compromised on the way: then MPTCP is not used. */
    bool agreed = identity_acceptable(mp) && mp->capable.version == MPTCP_VERSION &&
                  mp->capable.checksum_required == h->checksums;
    out->mptcp = agreed && mp->capable.receiver_key == h->local_key && !token_taken(stack, h->local_key);
    out->fallen_back = !out->mptcp;
    out->remote_key = mp->capable.sender_key;
    out->checksums = h->checksums;
    out->peer_refuses_joins = h->peer_refuses_joins;
    return true;
}

/* A connection for the peer, counted to its share. NULL at a limit, or without memory. */
static struct conn *make_conn(struct hawser_stack *stack, const struct handshake *h, const struct conn_opened *opened,
                              uint64_t now_ns)
{
    const struct hawser_conn_options *options = &h->listener->options;
    struct conn_config config = conn_config_of(options, h->listener->plan);
    evict_for(stack, options->share, &h->remote, now_ns);
    struct share *share = shares_enter(&stack->shares, options->share, &h->remote);
    config.opened = opened;
    config.door = h->door;
    config.payer = share ? &share->account : NULL;
    struct conn *conn = conn_new(&stack->host, &config);
    if (conn)
        conn->share = share;
    else if (share)
        shares_leave(&stack->shares, share);
    return conn;
}

/* Its first subflow, which is not opened yet; or NULL. */
static struct subflow *add_first(struct hawser_stack *stack, struct conn *conn, const struct handshake *h,
                                 uint64_t now_ns)
{
    struct local_address local;
    struct subflow *subflow;
    if (!stack_local_at(stack, h->link, &h->local, &local) ||
        conn_add_subflow(conn, &local, h->local.port, &h->remote, now_ns, &subflow) < 0)
        return NULL;
    data_rx_promise(&conn->data_rx, h->window);
    subflow->passive = true;
    return subflow;
}

static struct subflow *open_conn(struct hawser_stack *stack, const struct handshake *h, const struct arrival *a,
                                 uint64_t now_ns)
{
    struct hawser_listener *listener = h->listener;
    struct conn_opened opened;
    if (!settle(stack, h, &a->options.mp, &opened))
        return NULL;
    if (quota_full(&listener->acceptable)) {
        count(counters(stack), COUNT_DROP_ACCEPT_QUEUE);
        return NULL; /* it comes again */
    }
    if (!may_open(stack, listener, &a->remote, now_ns))
        return NULL;
    struct conn *conn = make_conn(stack, h, &opened, now_ns);
    struct subflow *subflow = conn ? add_first(stack, conn, h, now_ns) : NULL;
    if (!subflow) {
        if (conn)
            conn_free(conn);
        return NULL;
    }
    evict_enlist(stack, conn, now_ns);
    endings_let_go(&conn->endings); /* nobody's until accepted */
    listener_enter(listener, conn);
    open_tcp(subflow, h, a, now_ns);
    return subflow;
}

int handshake_promise(struct hawser_stack *stack, const struct handshake *h, struct conn **out)
{
    uint64_t now_ns = stack->latest_ns;
    const struct conn_opened opened = {.awaited = true, .local_key = h->local_key};
    struct handshake promised = *h;
    if (!may_open(stack, h->listener, &h->remote, now_ns))
        return -ENOBUFS;
    struct conn *conn = make_conn(stack, h, &opened, now_ns);
    if (!conn)
        return -ENOBUFS;
    promised.conn = conn;
    promised.listener = NULL; /* which may be closed before the third packet comes */
    if (!handshakes_add(&stack->handshakes, &conn->half_open, &promised)) {
        conn_free(conn);
        return -ENOMEM;
    }
    evict_enlist(stack, conn, now_ns);
    conn_wake(conn); /* its program's patience begins */
    *out = conn;
    return 0;
}

static struct subflow *open_promised(struct hawser_stack *stack, const struct handshake *h, const struct arrival *a,
                                     uint64_t now_ns)
{
    struct conn *conn = h->conn;
    struct conn_opened opened;
    if (!endings_goes_on(&conn->endings)) { /* the program has given it up since */
        replies_refuse(&stack->replies, a, counters(stack));
        return NULL;
    }
    struct subflow *subflow = settle(stack, h, &a->options.mp, &opened) ? add_first(stack, conn, h, now_ns) : NULL;
    if (!subflow)
        return NULL;
    conn_take_opened(conn, &opened);
    if (!opened.mptcp)
        tcp_drop_upper_options(&subflow->tcp);
    open_tcp(subflow, h, a, now_ns);
    return subflow;
}

/* RFC 8684 3.2: what does not prove itself is reset. */
static struct subflow *open_join(struct hawser_stack *stack, const struct handshake *h, const struct arrival *a,
                                 uint64_t now_ns)
{
    const struct mp_join *join = &a->options.mp.join;
    struct conn *conn = h->conn;
    struct subflow *subflow;
    struct local_address local;
    uint8_t expected[MPTCP_HMAC_LEN];
    mptcp_join_hmac(conn->identity.remote_key, conn->identity.local_key, h->remote_nonce, h->local_nonce, expected);
    bool proved = mptcp_has(&a->options.mp, MPTCP_JOIN) && join->shape == MP_JOIN_ACK &&
                  secret_equal(join->hmac, expected, sizeof expected);
    if (!proved || !conn_takes_joins(conn)) {
        count(counters(stack), proved ? COUNT_DROP_JOIN_REFUSED : COUNT_DROP_JOIN_HMAC);
        replies_refuse_join(&stack->replies, a, MP_RST_MPTCP, counters(stack));
        return NULL;
    }
    if (!stack_local_at(stack, a->link, &a->local, &local) ||
        conn_add_subflow(conn, &local, a->local.port, &a->remote, now_ns, &subflow) < 0) {
        replies_refuse_join(&stack->replies, a, MP_RST_RESOURCES, counters(stack));
        return NULL;
    }
    subflow->local_id = h->local_id;
    subflow->remote_id = h->remote_id;
    subflow->backup_remote = h->remote_backup;
    subflow->backup_local = h->local_backup;
    conn_take_join(subflow);
    open_tcp(subflow, h, a, now_ns);
    return subflow;
}

static void asked_again(struct hawser_stack *stack, struct handshake *h, const struct arrival *a, uint64_t now_ns)
{
    const struct tcp_header *header = &a->segment.header;
    if (header->flags & (TCP_ACK | TCP_FIN)) {
        count(counters(stack), COUNT_DROP_BAD_SYN);
        return;
    }
    /* Whatever its number: a peer that began anew answers what we say to the old SYN by a RST (RFC 9293 3.5.1). */
    if (header->seq.v == h->terms.irs && a->options.present & TCP_OPT_TIMESTAMPS)
        h->terms.ts_recent = a->options.ts_val;
    h->capable_asked &= identity_acceptable(&a->options.mp); /* RFC 8684 3.1: nor is it answered where it is not */
    if (h->tries < HANDSHAKE_ANSWERS_MAX)
        handshakes_ask(&stack->handshakes, h, now_ns);
    else
        handshakes_fail(&stack->handshakes, h, -ETIMEDOUT);
}

struct subflow *handshake_segment(struct hawser_stack *stack, struct handshake *h, const struct arrival *a,
                                  uint64_t now_ns)
{
    const struct tcp_header *header = &a->segment.header;
    if (header->flags & TCP_RST) { /* RFC 5961 3.2 */
        bool exact = header->seq.v == h->terms.irs + 1;
        count(counters(stack), exact ? COUNT_TCP_RESETS_IN : COUNT_DROP_BAD_RST);
        if (exact)
            handshakes_fail(&stack->handshakes, h, -ECONNRESET);
        return NULL;
    }
    if (header->flags & TCP_SYN) {
        asked_again(stack, h, a, now_ns);
        return NULL;
    }
    count_n(counters(stack), COUNT_TCP_OPTION_MALFORMED, a->options.malformed);
    if (!is_third(stack, h, a))
        return NULL;
    bool join = h->kind == HANDSHAKE_JOIN;
    struct subflow *subflow = join      ? open_join(stack, h, a, now_ns)
                              : h->conn ? open_promised(stack, h, a, now_ns)
                                        : open_conn(stack, h, a, now_ns);
    if (h->owner && (subflow || join))
        handshakes_drop(&stack->handshakes, h);
    return subflow;
}
