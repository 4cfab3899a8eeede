/* Packets in: IP, TCP, the owner of the segment, or a RST for nobody's. */
#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "stack/stack.h"
#include "wire/checksum.h"
#include "wire/ip.h"

static struct counters *counters(struct hawser_stack *stack) { return &stack->host.tcp.counters; }

/* See stack_local_at(). */
static bool is_for_us(const struct hawser_stack *stack, const struct arrival *a)
{
    return stack_has_door(stack, a->link) ? scope_is_unicast(&a->ip.dst) : stack_local(stack, &a->ip.dst) != NULL;
}

static bool is_icmp(const struct ip_header *ip)
{
    return ip->protocol == (ip->is_v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6);
}

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
    if (a->ip.protocol != IP_PROTO_TCP && !is_icmp(&a->ip)) {
        count(counters(stack), COUNT_DROP_PROTOCOL);
        return false;
    }
    if (!is_for_us(stack, a)) {
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
    a->segment.wire_bytes = (uint16_t)(a->rx->gso_size ? HW_MIN(len, (uint32_t)a->rx->gso_size) : len);
    a->local = a->ip.dst;
    a->local.port = h->dst_port;
    a->remote = a->ip.src;
    a->remote.port = h->src_port;
    return true;
}

/* A SYN: for a listener, or to join a connection. False: nobody takes it. */
static bool input_opening(struct hawser_stack *stack, struct arrival *a, uint64_t now_ns)
{
    struct hawser_listener *listener = demux_listener(stack, &a->local);
    bool joins = mptcp_has(&a->options.mp, MPTCP_JOIN);
    a->declined = joins && a->offered && !demux_token(stack, a->options.mp.join.token);
    if (a->declined)
        count(counters(stack), COUNT_MPTCP_JOINS_DECLINED);
    else if (joins) /* RFC 8684 3.2: by token, listener or not */
        handshake_join(stack, a, now_ns);
    else if (listener)
        handshake_syn(stack, listener, a, now_ns);
    else if (stack->links[a->link].listener)
        handshake_request(stack, stack->links[a->link].listener, a, now_ns);
    else
        return false;
    return true;
}

/* False: it is of no handshake either. */
static bool input_handshake(struct hawser_stack *stack, struct arrival *a, bool opens, uint64_t now_ns)
{
    struct handshake *h = handshakes_find(&stack->handshakes, &a->local, &a->remote), rebuilt;
    struct hawser_request *request = h ? NULL : requests_find(&stack->requests, &a->local, &a->remote);
    int home = h ? h->link : request ? request->handshake.link : a->link;
    if (!stack_meets(stack, home, a->link)) {
        count(counters(stack), COUNT_DROP_OTHER_DOOR);
        return true;
    }
    if (request && handshake_request_segment(stack, request, a, now_ns))
        return true;
    if (!h && opens)
        return input_opening(stack, a, now_ns);
    bool answers = h && a->segment.header.ack.v == h->iss + 1; /* else it may answer a cookie from before the record */
    enum cookie cookie = answers ? COOKIE_NONE : handshake_rebuild(stack, a, &rebuilt, now_ns);
    if (!h && cookie == COOKIE_UNREADABLE) {
        count(counters(stack), COUNT_DROP_NO_CONNECTION);
        return true;
    }
    h = cookie == COOKIE_OURS ? &rebuilt : h;
    if (!h)
        return false;
    struct subflow *subflow = handshake_segment(stack, h, a, now_ns);
    if (subflow)
        tcp_input(&subflow->tcp, &a->segment, now_ns);
    return true;
}

/* RFC 9293 3.6.1: a new incarnation may take over from TIME-WAIT. A peer that did not take the reset of a connection,
 * but challenged it (RFC 5961 3.2), or was out of reach, learns now that all of it is gone. */
static void input_time_wait(struct hawser_stack *stack, struct time_wait *record, struct arrival *a, bool opens,
                            uint64_t now_ns)
{
    if (opens && time_wait_yields(record, &a->segment) && input_opening(stack, a, now_ns))
        time_waits_remove(&stack->time_waits, record);
    else if (record->aborted && opens)
        replies_refuse(&stack->replies, a, counters(stack));
    else if (record->aborted)
        replies_refuse_aborted(&stack->replies, a, record->peer_key, counters(stack));
    else
        time_waits_input(&stack->time_waits, record, &a->segment, now_ns);
}

static void input_segment(struct hawser_stack *stack, struct arrival *a, uint64_t now_ns)
{
    uint8_t flags = a->segment.header.flags;
    bool opens = (flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
    struct subflow *subflow = demux_find(stack, &a->local, &a->remote);
    struct time_wait *record = subflow ? NULL : time_waits_find(&stack->time_waits, &a->local, &a->remote);
    int home = subflow ? subflow->tcp.config.link : record ? record->link : a->link;
    if (!stack_meets(stack, home, a->link)) {
        count(counters(stack), COUNT_DROP_OTHER_DOOR);
    } else if (subflow && tcp_rests(&subflow->tcp)) { /* its address has only just come back */
        count(counters(stack), COUNT_DROP_NOT_OURS);
    } else if (subflow) {
        if (flags & TCP_RST)
            a->segment.authentic = identity_closed_by(&subflow->conn->identity, &a->options.mp);
        tcp_input(&subflow->tcp, &a->segment, now_ns);
    } else if (!stack_has_door(stack, a->link) && martian_source(stack, &a->remote)) {
        count(counters(stack), COUNT_DROP_MARTIAN);
    } else if (record) {
        input_time_wait(stack, record, a, opens, now_ns);
    } else if (!input_handshake(stack, a, opens, now_ns)) {
        count(counters(stack), COUNT_DROP_NO_CONNECTION);
        replies_refuse(&stack->replies, a, counters(stack));
    }
}

static void input_one(struct hawser_stack *stack, struct arrival *a, uint64_t now_ns)
{
    count(counters(stack), COUNT_IP_IN);
    if (!parse_ip(stack, a))
        return;
    if (is_icmp(&a->ip)) {
        icmp_input(stack, a, now_ns);
        return;
    }
    if (parse_tcp(stack, a))
        input_segment(stack, a, now_ns);
}

/* `declined` NULL: what is nobody's is refused. */
static size_t input(struct hawser_stack *stack, int link, const struct hawser_rx *packets, size_t n, uint64_t now_ns,
                    bool *declined)
{
    size_t left = 0;
    now_ns = stack_time(stack, now_ns);
    if (!stack_has_link(stack, link) || n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        struct arrival a = {.rx = &packets[i], .link = link, .offered = declined};
        input_one(stack, &a, now_ns);
        left += a.declined;
        if (a.declined)
            declined[i] = true;
    }
    conn_settle_touched(&stack->host, now_ns);
    return left;
}

void hawser_stack_input(struct hawser_stack *stack, int link, const struct hawser_rx *packets, size_t n,
                        uint64_t now_ns)
{
    (void)input(stack, link, packets, n, now_ns, NULL);
}

size_t hawser_stack_offer(struct hawser_stack *stack, int link, const struct hawser_rx *packets, size_t n,
                          uint64_t now_ns, bool *declined)
{
    if (n)
        memset(declined, 0, n * sizeof *declined);
    return input(stack, link, packets, n, now_ns, declined);
}
