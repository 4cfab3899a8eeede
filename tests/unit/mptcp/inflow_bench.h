/* Payload that arrives on subflows without a connection: somebody else makes room, or says that there is no hope. */
#ifndef HW_TESTS_MPTCP_INFLOW_BENCH_H
#define HW_TESTS_MPTCP_INFLOW_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bundle.h"
#include "mptcp/inflow.h"
#include "wire/checksum.h"

enum { FEW = 100 };

struct bench {
    struct bundle bundle;
    struct inflow in;
    struct subflow *s; /* the first one */
    uint64_t ssn;      /* of the arrival in progress, */
    uint32_t len;
    uint32_t taken; /* and how much of it found room */
    uint32_t read;  /* what the program has read */
};

static inline void set_up(struct bench *b)
{
    bundle_init(&b->bundle);
    b->s = bundle_open(&b->bundle, 0);
    b->in = (struct inflow){.rx = &b->bundle.rx, .idsn = dsn_at(BUNDLE_IDSN), .began = nth_byte(0)};
    b->ssn = b->len = b->taken = b->read = 0;
}

static inline void tear_down(struct bench *b) { bundle_destroy(&b->bundle); }

static inline uint64_t counted(const struct bench *b, enum counter which) { return bundle_counted(&b->bundle, which); }

/* The bytes [from, from + len) of the subflow are those [to, to + len) of the stream, with a checksum that is right. */
static inline struct mapping mapping_of(const struct bench *b, uint32_t from, uint32_t to, uint16_t len)
{
    struct csum sum = {0, false};
    csum_add(&sum, b->bundle.bytes + to, len);
    return (struct mapping){.ssn = nth_ssn(from),
                            .dsn = nth_byte(to),
                            .len = len,
                            .has_checksum = true,
                            .checksum = csum_dss(nth_byte(to).v, ssn_wire(nth_ssn(from)), len, &sum)};
}

static inline struct mapping map_on(struct bench *b, struct subflow *s, uint32_t from, uint32_t to, uint16_t len)
{
    const struct mapping map = mapping_of(b, from, to, len);
    assert_int_equal(rx_mapping_add(&s->rx_mapping, &map, true), RXMAP_ADDED);
    return map;
}

/* The rest of what arrives, once more. */
static inline enum inflow_verdict place_rest(struct bench *b, struct subflow *s, uint32_t to)
{
    uint32_t taken, done = b->taken;
    const struct slice rest = {NULL, b->bundle.bytes + to + done, b->len - done};
    enum inflow_verdict verdict = inflow_place(&b->in, s, b->ssn + done, rest, &taken, b->bundle.now_ns);
    b->taken += taken;
    return verdict;
}

/* The bytes [to, to + len) of the stream arrive as those from `from` on of the subflow. */
static inline enum inflow_verdict arrive(struct bench *b, struct subflow *s, uint32_t from, uint32_t to, uint32_t len)
{
    struct account *payer = data_rx_account(&b->bundle.rx);
    b->ssn = nth_ssn(from);
    b->len = len;
    b->taken = 0;
    assert_int_equal(rxseq_add(&s->tcp.rx, payer, nth_ssn(from), nth_ssn(from + len)), 0);
    return place_rest(b, s, to);
}

/* What found no room did not arrive. */
static inline void end_arrival(struct bench *b, struct subflow *s)
{
    if (b->taken < b->len)
        rxseq_take_back(&s->tcp.rx, b->ssn, b->ssn + b->taken, b->ssn + b->len);
    rxseq_settle(&s->tcp.rx);
}

/* The program finds just the next `len` bytes of the stream. */
static inline void expect_read(struct bench *b, uint32_t len)
{
    static uint8_t got[BUNDLE_LIMIT];
    assert_int_equal(data_rx_read(&b->bundle.rx, got, sizeof got), len);
    assert_memory_equal(got, b->bundle.bytes + b->read, len);
    (void)data_rx_consumed(&b->bundle.rx);
    b->read += len;
}

static inline void no_room(struct bench *b) { bundle_press(&b->bundle, 0); }
static inline void make_room(struct bench *b) { account_release(&b->bundle.other, b->bundle.other.held); }

#endif
