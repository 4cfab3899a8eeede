/* Packets in: IP, TCP, the owner of the segment, or a RST for nobody's. */
#include <errno.h>
#include <string.h>

#include "stack/stack.h"
#include "wire/checksum.h"
#include "wire/ip.h"

/* A payload of fewer bytes is copied rather than kept by reference. */
#define REFERENCE_MIN 512u

/* A packet on its way up. */
struct arrival {
    const struct hawser_rx *rx;
    int link;
    struct ip_header ip;
    struct tcp_segment segment;
    struct tcp_options options;
    struct hawser_addr local, remote;
};

static struct counters *counters(struct hawser_stack *stack) { return &stack->host.tcp.counters; }

static bool parse_ip(struct hawser_stack *stack, struct arrival *a)
{
    static const enum counter causes[] = {
        [IP_TRUNCATED] = COUNT_DROP_IP_TRUNCATED, [IP_BAD_VERSION] = COUNT_DROP_IP_VERSION,
        [IP_BAD_HEADER] = COUNT_DROP_IP_HEADER,   [IP_BAD_CHECKSUM] = COUNT_DROP_IP_CHECKSUM,
        [IP_FRAGMENT] = COUNT_DROP_IP_FRAGMENT,   [IP_BAD_ADDRESS] = COUNT_DROP_IP_ADDRESS,
    };
    enum ip_result result = ip_parse(a->rx->data, a->rx->len, a->rx->gso_size > 0, &a->ip);
    if (result != IP_OK) {
        count(counters(stack), causes[result]);
        return false;
    }
    if (a->ip.protocol != IP_PROTO_TCP) {
        count(counters(stack), COUNT_DROP_PROTOCOL);
        return false;
    }
    if (!stack_local(stack, &a->ip.dst)) {
        count(counters(stack), COUNT_DROP_NOT_OURS);
        return false;
    }
    return true;
}

static bool checksum_good(const struct arrival *a, const uint8_t *tcp)
{
    struct csum sum = {0, false};
    if (a->rx->flags & HAWSER_RX_CSUM_OK)
        return true;
    csum_add_pseudo(&sum, &a->ip.src, &a->ip.dst, a->ip.payload_len);
    csum_add(&sum, tcp, a->ip.payload_len);
    return csum_finish(&sum) == 0;
}

static bool parse_tcp(struct hawser_stack *stack, struct arrival *a)
{
    const uint8_t *tcp = a->rx->data + a->ip.header_len;
    struct tcp_header *h = &a->segment.header;
    if (!tcp_header_parse(tcp, a->ip.payload_len, h)) {
        count(counters(stack), COUNT_DROP_TCP_HEADER);
        return false;
    }
    if (!checksum_good(a, tcp)) {
        count(counters(stack), COUNT_DROP_TCP_CHECKSUM);
        return false;
    }
    tcp_options_parse(tcp + TCP_HEADER_LEN, h->header_len - (size_t)TCP_HEADER_LEN, h->flags, &a->options);
    uint32_t len = a->ip.payload_len - h->header_len;
    a->segment.options = &a->options;
    a->segment.payload = (struct slice){a->rx->buf, tcp + h->header_len, len};
    a->segment.wire_segments =
        (uint16_t)(a->rx->gso_size ? HW_MAX((len + a->rx->gso_size - 1) / a->rx->gso_size, 1u) : 1u);
    a->local = a->ip.dst;
    a->local.port = h->dst_port;
    a->remote = a->ip.src;
    a->remote.port = h->src_port;
    return true;
}

/* RFC 9293 3.10.7.1: whoever speaks to a connection that does not exist is told so, unless it was a RST itself. */
static struct stateless_reply *refuse(struct hawser_stack *stack, const struct arrival *a)
{
    const struct tcp_header *h = &a->segment.header;
    if (h->flags & TCP_RST)
        return NULL;
    if (stack->reply_count == REPLIES_MAX) {
        count(counters(stack), COUNT_LIMIT_REPLIES);
        return NULL;
    }
    struct stateless_reply *reply = &stack->replies[stack->reply_count++];
    *reply = (struct stateless_reply){.local = a->local, .remote = a->remote, .link = (uint8_t)a->link};
    if (h->flags & TCP_ACK) {
        reply->seq = h->ack;
    } else {
        uint32_t span = a->segment.payload.len + !!(h->flags & TCP_SYN) + !!(h->flags & TCP_FIN);
        reply->ack = seq_add(h->seq, span);
        reply->with_ack = true;
    }
    return reply;
}

/* RFC 8684 3.2: a join is refused by a RST that says why. */
static void refuse_join(struct hawser_stack *stack, const struct arrival *a, uint8_t reason)
{
    struct stateless_reply *reply = refuse(stack, a);
    if (!reply)
        return;
    reply->of_join = true;
    reply->reason = reason;
}

static void input_join(struct hawser_stack *stack, struct arrival *a, uint64_t now_ns)
{
    struct conn *conn = demux_token(stack, a->options.mp.join.token);
    if (!conn) {
        count(counters(stack), COUNT_DROP_JOIN_TOKEN);
        refuse_join(stack, a, MP_RST_MPTCP);
        return;
    }
    struct subflow *subflow;
    if (conn_add_subflow(conn, stack_local(stack, &a->local), a->local.port, &a->remote, now_ns, &subflow) < 0) {
        refuse_join(stack, a, MP_RST_RESOURCES);
        return;
    }
    if (negotiate_join_syn(subflow, &a->options.mp.join) < 0 || tcp_accept(&subflow->tcp, &a->segment, now_ns) < 0) {
        count(counters(stack), COUNT_DROP_JOIN_REFUSED);
        refuse_join(stack, a, MP_RST_MPTCP);
        conn_wake(conn); /* reaps the closed subflow */
    }
}

/* RFC 4987 3.3: the oldest connection that let its first SYN/ACK go unanswered makes way for a new one. */
static bool recycle_half_open(struct hawser_stack *stack, struct hawser_listener *listener)
{
    LIST_EACH (it, &listener->pending) {
        struct conn *conn = LIST_ENTRY(it, struct conn, accept_link);
        struct list *first = list_first(&conn->subflows);
        if (conn->identity.established || !first || subflow_at(first)->tcp.handshake_tries < 2)
            continue;
        count(counters(stack), COUNT_LIMIT_HALF_OPEN);
        listener->waiting--;
        conn_free(conn);
        return true;
    }
    return false;
}

static void input_syn(struct hawser_stack *stack, struct arrival *a, struct hawser_listener *listener, uint64_t now_ns)
{
    if (listener->waiting >= listener->backlog && !recycle_half_open(stack, listener)) {
        count(counters(stack), COUNT_DROP_BACKLOG);
        return; /* the peer asks again */
    }
    struct conn_config config = conn_config_of(&listener->options);
    config.server = true;
    struct conn *conn = conn_new(&stack->host, &config);
    struct subflow *subflow;
    if (!conn)
        return;
    negotiate_syn(conn, &a->options.mp);
    if (conn_add_subflow(conn, stack_local(stack, &a->local), a->local.port, &a->remote, now_ns, &subflow) < 0) {
        conn_free(conn);
        return;
    }
    subflow->passive = true;
    if (tcp_accept(&subflow->tcp, &a->segment, now_ns) < 0) {
        conn_free(conn);
        return;
    }
    conn->listener = listener;
    conn->endings.detached = true; /* nobody's until accepted */
    list_push_back(&listener->pending, &conn->accept_link);
    listener->waiting++;
}

/* What may be kept must lie in a buffer, and a small payload in one that it shares with its like: by reference it would
 * hold back a large buffer of the link for a few bytes. Without memory the segment still brings its acknowledgement. */
static void secure_payload(struct hawser_stack *stack, struct subflow *subflow, struct arrival *a)
{
    struct slice *payload = &a->segment.payload;
    if (payload->len == 0 || (payload->buf && payload->len >= REFERENCE_MIN) ||
        packer_copy(&stack->inbox, stack->host.copies, payload))
        return;
    if (payload->buf)
        return;
    while (receive_is_next(subflow, &a->segment) && place_shed(&stack->host)) /* out-of-order data goes first */
        if (packer_copy(&stack->inbox, stack->host.copies, payload))
            return;
    count(counters(stack), COUNT_DROP_NO_MEMORY);
    payload->len = 0;
    a->segment.header.flags &= (uint8_t)~TCP_FIN;
}

/* A SYN: for a listener, or to join a connection. False: nobody takes it. */
static bool input_opening(struct hawser_stack *stack, struct arrival *a, uint64_t now_ns)
{
    struct hawser_listener *listener = demux_listener(stack, &a->local);
    if (mptcp_has(&a->options.mp, MPTCP_JOIN)) /* RFC 8684 3.2: by token, listener or not */
        input_join(stack, a, now_ns);
    else if (listener)
        input_syn(stack, a, listener, now_ns);
    else
        return false;
    return true;
}

/* RFC 9293 3.6.1: a new incarnation may take over from TIME-WAIT. */
static void input_time_wait(struct hawser_stack *stack, struct time_wait *record, struct arrival *a, bool opens,
                            uint64_t now_ns)
{
    if (opens && time_wait_yields(record, &a->segment) && input_opening(stack, a, now_ns))
        time_waits_remove(&stack->time_waits, record);
    else
        time_waits_input(&stack->time_waits, record, &a->segment, now_ns);
}

static void input_one(struct hawser_stack *stack, struct arrival *a, uint64_t now_ns)
{
    count(counters(stack), COUNT_IP_IN);
    if (!parse_ip(stack, a) || !parse_tcp(stack, a))
        return;
    uint8_t flags = a->segment.header.flags;
    bool opens = (flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
    struct subflow *subflow = demux_find(stack, &a->local, &a->remote);
    struct time_wait *record = subflow ? NULL : time_waits_find(&stack->time_waits, &a->local, &a->remote);
    if (subflow) {
        secure_payload(stack, subflow, a);
        tcp_input(&subflow->tcp, &a->segment, now_ns);
    } else if (record) {
        input_time_wait(stack, record, a, opens, now_ns);
    } else if (!opens || !input_opening(stack, a, now_ns)) {
        count(counters(stack), COUNT_DROP_NO_CONNECTION);
        (void)refuse(stack, a);
    }
}

void hawser_stack_input(struct hawser_stack *stack, int link, const struct hawser_rx *packets, size_t n,
                        uint64_t now_ns)
{
    now_ns = stack_time(stack, now_ns);
    if (link < 0 || link >= stack->link_count || n == 0)
        return;
    if (packets[n - 1].buf) /* even when nothing brings data: a peer that asks must see the window open again */
        stack->host.pressed = buf_is_scarce(packets[n - 1].buf);
    for (size_t i = 0; i < n; i++) {
        struct arrival a = {.rx = &packets[i], .link = link};
        input_one(stack, &a, now_ns);
    }
    conn_settle_touched(&stack->host, now_ns);
}
