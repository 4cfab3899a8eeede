#include "stack/bare.h"
#include "stack/handshake.h"
#include "wire/ip.h"

static void write_tcp(const struct handshake *h, const struct local_address *local, uint64_t now_ns,
                      struct tcp_options *o)
{
    const struct tcp_terms *terms = &h->terms;
    uint32_t headers = TCP_HEADER_LEN + (uint32_t)ip_header_len(&h->remote);
    o->present = TCP_OPT_MSS;
    o->mss = (uint16_t)HW_MIN(local->mtu - headers, UINT16_MAX);
    if (terms->sack)
        o->present |= TCP_OPT_SACK_PERMITTED;
    if (terms->window_scaling) {
        o->present |= TCP_OPT_WSCALE;
        o->wscale = tcp_window_scale(h->window_max);
    }
    if (terms->timestamps) {
        o->present |= TCP_OPT_TIMESTAMPS;
        o->ts_val = (uint32_t)(now_ns / NS_PER_MS) + h->ts_offset;
        o->ts_ecr = terms->ts_recent;
    }
}

static void write_mptcp(const struct handshake *h, struct mptcp_options *mp)
{
    /* RFC 8684 3.1: something on the path may eat what it does not know. What counts is the third packet. */
    if (h->kind == HANDSHAKE_CAPABLE && h->capable_asked && h->tries < HANDSHAKE_CAPABLE_TRIES) {
        mp->present = 1u << MPTCP_CAPABLE;
        mp->capable = (struct mp_capable){.version = MPTCP_VERSION,
                                          .algorithms = MPTCP_HMAC_SHA256,
                                          .checksum_required = h->checksums,
                                          .has_sender_key = true,
                                          .sender_key = h->local_key};
    }
    if (h->kind == HANDSHAKE_JOIN) {
        mp->present = 1u << MPTCP_JOIN;
        mp->join = (struct mp_join){.shape = MP_JOIN_SYNACK,
                                    .backup = h->local_backup,
                                    .address_id = h->local_id,
                                    .nonce = h->local_nonce,
                                    .hmac64 = h->hmac64};
    }
}

void handshake_write(const struct handshake *h, const struct local_address *local, struct hawser_tx *tx,
                     uint64_t now_ns)
{
    struct tcp_options options;
    tcp_options_clear(&options);
    write_tcp(h, local, now_ns, &options);
    user_timeout_write(&(struct user_timeout){.advertised = h->user_timeout}, &options);
    write_mptcp(h, &options.mp);
    const struct tcp_header header = {
        .seq = seq_at(h->iss), .ack = seq_at(h->terms.irs + 1), .flags = TCP_SYN | TCP_ACK, .window = h->window};
    bare_write(tx, local->link, &h->local, &h->remote, header, &options);
}
