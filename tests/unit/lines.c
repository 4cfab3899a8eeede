#include "lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "stack/stack.h"
#include "wire/checksum.h"
#include "wire/keys.h"

#define NONCE 5

uint8_t lines_stream[LINES_STREAM];

void lines_init(struct peer *p, uint32_t memory, bool checksums, const struct hawser_conn_options *listening)
{
    struct hawser_stack_options options = {
        .size = sizeof options, .checksum_required = checksums, .max_memory_bytes = memory};
    for (uint32_t i = 0; i < sizeof lines_stream; i++)
        lines_stream[i] = (uint8_t)(i * 7 + i / 251);
    peer_init(p, &options, listening);
}

void line_take(struct peer *p, const struct line *line)
{
    peer_forget(p);
    p->addr.port = line->port;
    p->irs = line->irs;
    p->stack_key = line->key;
    p->stack_idsn = line->idsn;
}

struct line line_open(struct peer *p, uint16_t port)
{
    peer_forget(p);
    p->addr.port = port;
    peer_open_mptcp(p);
    return (struct line){p->conn, port, p->irs, p->stack_key, p->stack_idsn};
}

struct line line_join(struct peer *p, const struct line *first, uint16_t port)
{
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = NONCE}}};
    struct line line = *first;
    uint64_t idsn;
    mptcp_key_derive(first->key, &o.mp.join.token, &idsn);
    line.port = port;
    line_take(p, &line);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    const struct peer_segment *synack = peer_last(p, TCP_SYN | TCP_ACK);
    assert_non_null(synack);
    line.irs = p->irs;
    o.mp.join.shape = MP_JOIN_ACK;
    uint8_t hmac[MPTCP_HMAC_LEN];
    mptcp_join_hmac(p->key, first->key, NONCE, synack->options.mp.join.nonce, hmac);
    memcpy(o.mp.join.hmac, hmac, sizeof hmac);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    return line;
}

void line_send(struct peer *p, const struct line *line, uint32_t ssn, uint32_t dsn, uint16_t len, uint32_t fresh,
               uint32_t from, uint32_t count)
{
    line_take(p, line);
    struct tcp_options o = peer_dss(p, 1, dsn, ssn, len);
    if (((const struct conn *)line->conn)->identity.checksums) {
        struct csum sum = {0, false};
        csum_add(&sum, lines_stream + dsn + (fresh - ssn), len - (fresh - ssn));
        o.mp.dss.has_checksum = true;
        o.mp.dss.checksum = csum_dss(o.mp.dss.dsn, ssn, len, &sum);
    }
    for (uint32_t end = from + count, n; from < end; from += n) {
        n = end - from < LINES_PIECE ? end - from : LINES_PIECE;
        peer_forget(p);
        peer_send(p, TCP_ACK, from, 1, &o, lines_stream + dsn + (from - ssn), n);
    }
}
