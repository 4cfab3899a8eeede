#include "stack/replies.h"

#include "stack/bare.h"

static struct stateless_reply *add(struct replies *r, const struct hawser_addr *local, const struct hawser_addr *remote,
                                   uint8_t link, struct counters *counters)
{
    if (r->count == REPLIES_MAX) {
        count(counters, COUNT_LIMIT_REPLIES);
        return NULL;
    }
    struct stateless_reply *reply = &r->list[r->count++];
    *reply = (struct stateless_reply){.local = *local, .remote = *remote, .link = link};
    return reply;
}

/* RFC 9293 3.10.7.1: whoever speaks to a connection that does not exist is told so, unless it was a RST itself. */
static struct stateless_reply *refuse(struct replies *r, const struct arrival *a, struct counters *counters)
{
    const struct tcp_header *h = &a->segment.header;
    if (h->flags & TCP_RST)
        return NULL;
    struct stateless_reply *reply = add(r, &a->local, &a->remote, (uint8_t)a->link, counters);
    if (!reply)
        return NULL;
    if (h->flags & TCP_ACK) {
        reply->seq = h->ack;
    } else {
        uint32_t span = a->segment.payload.len + !!(h->flags & TCP_SYN) + !!(h->flags & TCP_FIN);
        reply->ack = seq_add(h->seq, span);
        reply->with_ack = true;
    }
    return reply;
}

void replies_refuse(struct replies *r, const struct arrival *a, struct counters *counters)
{
    (void)refuse(r, a, counters);
}

void replies_refuse_join(struct replies *r, const struct arrival *a, uint8_t reason, struct counters *counters)
{
    struct stateless_reply *reply = refuse(r, a, counters);
    if (!reply)
        return;
    reply->kind = REPLY_TO_JOIN;
    reply->reason = reason;
}

void replies_refuse_aborted(struct replies *r, const struct arrival *a, uint64_t peer_key, struct counters *counters)
{
    struct stateless_reply *reply = refuse(r, a, counters);
    if (!reply)
        return;
    reply->kind = REPLY_ABORTED;
    reply->peer_key = peer_key;
}

void replies_abort(struct replies *r, const struct handshake *h, struct counters *counters)
{
    struct stateless_reply *reply = h->tries ? add(r, &h->local, &h->remote, h->link, counters) : NULL;
    if (!reply)
        return;
    reply->seq = seq_at(h->iss + 1);
    reply->ack = seq_at(h->terms.irs + 1);
    reply->with_ack = true;
}

void replies_lose_link(struct replies *r, uint8_t link)
{
    for (uint8_t i = r->count; i-- > 0;)
        if (r->list[i].link == link)
            r->list[i] = r->list[--r->count];
}

void replies_write(struct replies *r, struct hawser_tx *tx)
{
    const struct stateless_reply *reply = &r->list[--r->count];
    struct tcp_options options;
    tcp_options_clear(&options);
    if (reply->kind == REPLY_TO_JOIN) {
        options.mp.present = 1u << MPTCP_TCPRST;
        options.mp.tcprst = (struct mp_tcprst){.transient = reply->reason == MP_RST_RESOURCES, .reason = reply->reason};
    } else if (reply->kind == REPLY_ABORTED) {
        options.mp.present = 1u << MPTCP_FASTCLOSE;
        options.mp.fastclose.receiver_key = reply->peer_key;
    }
    const struct tcp_header header = {
        .seq = reply->seq, .ack = reply->ack, .flags = (uint8_t)(TCP_RST | (reply->with_ack ? TCP_ACK : 0))};
    bare_write(tx, reply->link, &reply->local, &reply->remote, header, &options);
}
