/*
 * ICMP errors in. Anybody can send one: it counts only if it is about a segment that is under way, of a subflow or a
 * handshake of ours, and comes in by the link on which that lives (RFC 5927 4). It is never answered. What follows:
 *
 *   error              before the handshake is over                  afterwards
 *   hard               the attempt, join or handshake is over        the path may be dead: data elsewhere, a question
 *   soft               the next attempt begins at once; over when    kept, for when it times out (RFC 1122 4.2.3.9)
 *                      a second SYN hears the same (RFC 5461), or
 *                      at once, where the program wants that
 *   packet too big     nothing                                       smaller packets (tcp/path_mtu.c)
 */
#include <errno.h>

#include "stack/attempts.h"
#include "stack/stack.h"
#include "wire/icmp_error.h"

/* SYNs after which a soft error is no hiccup of some router's. */
#define SOFT_SYNS 2

static struct counters *counters(struct hawser_stack *stack) { return &stack->host.tcp.counters; }

/* RFC 1122 4.2.3.9: which are hard; and the errors that programs know from Linux for them. */
static const struct meaning {
    uint8_t error;
    bool hard;
} meanings[ICMP_KINDS] = {
    [ICMP_NO_NETWORK] = {ENETUNREACH, false},
    [ICMP_NO_HOST] = {EHOSTUNREACH, false},
    [ICMP_NO_PROTOCOL] = {ENOPROTOOPT, true},
    [ICMP_NO_PORT] = {ECONNREFUSED, true},
    [ICMP_PROHIBITED_NETWORK] = {ENETUNREACH, true},
    [ICMP_PROHIBITED_HOST] = {EHOSTUNREACH, true},
    [ICMP_PROHIBITED] = {EACCES, true},
    [ICMP_TIME_EXCEEDED] = {EHOSTUNREACH, false},
    [ICMP_PARAMETER_PROBLEM] = {EPROTO, false},
};

static void about_syn(struct subflow *subflow, const struct meaning *m, uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    if (m->hard || tcp->handshake_tries >= SOFT_SYNS)
        tcp_abort(tcp, -m->error, now_ns);
    else
        attempts_hurry(subflow->conn, now_ns);
}

/* Others that were begun from there would hear the same, and use up what a router may say of those from elsewhere. */
static void about_all_from(const struct subflow *told, const struct meaning *m, uint64_t now_ns)
{
    EACH_SUBFLOW (it, told->conn) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        if (tcp->state != TCPS_SYN_SENT || !hawser_addr_same_ip(&tcp->config.local, &told->tcp.config.local))
            continue;
        tcp_note_unreachable(tcp, m->error, m->hard, now_ns);
        tcp_abort(tcp, -m->error, now_ns);
    }
}

static void about_subflow(struct hawser_stack *stack, struct subflow *subflow, const struct icmp_error *e,
                          uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    if (e->kind == ICMP_TOO_BIG) {
        tcp_too_big(tcp, e->seq, e->packet_len, e->mtu, now_ns);
        return;
    }
    const struct meaning *m = &meanings[e->kind];
    count(counters(stack), COUNT_TCP_UNREACHABLE);
    tcp_note_unreachable(tcp, m->error, m->hard, now_ns);
    if (tcp->state != TCPS_SYN_SENT)
        return;
    if (attempts_end_at_once(subflow->conn))
        about_all_from(subflow, m, now_ns);
    else
        about_syn(subflow, m, now_ns);
}

/* A SYN/ACK that did not arrive. Of one without a record nothing is known. */
static void about_handshake(struct hawser_stack *stack, struct handshake *h, const struct icmp_error *e)
{
    const struct meaning *m = &meanings[e->kind];
    count(counters(stack), COUNT_TCP_UNREACHABLE);
    if (m->hard)
        handshakes_fail(&stack->handshakes, h, -m->error);
}

static void match(struct hawser_stack *stack, struct arrival *a, const struct icmp_error *e, uint64_t now_ns)
{
    struct subflow *subflow = demux_find(stack, &e->local, &e->remote);
    struct handshake *h = subflow ? NULL : handshakes_find(&stack->handshakes, &e->local, &e->remote);
    if (subflow && subflow->tcp.config.link == a->link && tcp_is_under_way(&subflow->tcp, e->seq))
        about_subflow(stack, subflow, e, now_ns);
    else if (h && h->link == a->link && h->tries && h->iss == e->seq.v && e->kind != ICMP_TOO_BIG)
        about_handshake(stack, h, e);
    else if (a->offered)
        a->declined = true;
    else
        count(counters(stack), COUNT_DROP_ICMP_UNMATCHED);
}

void icmp_input(struct hawser_stack *stack, struct arrival *a, uint64_t now_ns)
{
    static const enum counter causes[] = {[ICMP_OTHER] = COUNT_DROP_ICMP_OTHER,
                                          [ICMP_MALFORMED] = COUNT_DROP_ICMP_MALFORMED,
                                          [ICMP_BAD_CHECKSUM] = COUNT_DROP_ICMP_CHECKSUM};
    struct icmp_error e;
    enum icmp_result result = icmp_error_parse(a->rx->data + a->ip.header_len, &a->ip, &e);
    if (result != ICMP_ERROR)
        count(counters(stack), causes[result]);
    else if (!hawser_addr_same_ip(&e.local, &a->ip.dst)) /* it came back to where the segment was from */
        count(counters(stack), COUNT_DROP_ICMP_UNMATCHED);
    else
        match(stack, a, &e, now_ns);
}
