/* Super-segments in software, against whole packets built byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hawser/packet.h>

#include "support.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { PAYLOAD_MAX = 9000, SEQ = 0xfffff000, OPTIONS = 12 };

struct super {
    struct hawser_tx tx;
    uint8_t payload[PAYLOAD_MAX];
};

static void build(struct super *s, bool v6, uint32_t len, uint16_t gso, uint8_t flags, struct prng *rng)
{
    struct hawser_addr src, dst;
    assert_int_equal(hawser_addr_parse(&src, v6 ? "fd00::1" : "10.0.0.1", 0), 0);
    assert_int_equal(hawser_addr_parse(&dst, v6 ? "fd00::2" : "10.0.0.2", 0), 0);
    memset(&s->tx, 0, sizeof s->tx);
    prng_fill(rng, s->payload, len);
    uint32_t tcp_len = TCP_HEADER_LEN + OPTIONS + len;
    struct csum pseudo = {0, false};
    csum_add_pseudo(&pseudo, &src, &dst, tcp_len);
    struct tcp_header h = {.src_port = 1,
                           .dst_port = 2,
                           .seq = seq_at(SEQ),
                           .header_len = TCP_HEADER_LEN + OPTIONS,
                           .flags = flags,
                           .checksum = csum_fold(&pseudo)};
    s->tx.l3_len = (uint8_t)ip_emit(s->tx.head, &src, &dst, 0, tcp_len);
    tcp_header_emit(s->tx.head + s->tx.l3_len, &h);
    memset(s->tx.head + s->tx.l3_len + TCP_HEADER_LEN, 1, OPTIONS);
    s->tx.head_len = (uint8_t)(s->tx.l3_len + h.header_len);
    s->tx.payload_len = len;
    s->tx.gso_size = gso;
    for (uint32_t at = 0; at < len && s->tx.part_count < HAWSER_TX_PARTS;) {
        bool last = s->tx.part_count == HAWSER_TX_PARTS - 1;
        uint32_t piece = last ? len - at : (uint32_t)(1 + prng_below(rng, len - at));
        s->tx.parts[s->tx.part_count++] = (struct hawser_part){s->payload + at, piece};
        at += piece;
    }
}

/* The TCP checksum, word by word over a pseudo-header written out. */
static bool checks_out(const uint8_t *packet, size_t len, bool v6)
{
    uint8_t bytes[40 + HAWSER_TX_HEAD + PAYLOAD_MAX] = {0};
    size_t l3 = v6 ? 40 : 20, at = 0, address = v6 ? 32 : 8;
    memcpy(bytes, packet + (v6 ? 8 : 12), address);
    at = address;
    put32(bytes + at, (uint32_t)(len - l3));
    put32(bytes + at + 4, 6);
    at += 8;
    memcpy(bytes + at, packet + l3, len - l3);
    at += len - l3;
    uint32_t sum = 0;
    for (size_t i = 0; i < at; i += 2)
        sum += get16(bytes + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

static void pieces_are_the_whole(void **state)
{
    (void)state;
    struct prng rng;
    static struct super s;
    prng_seed(&rng, test_seed());
    for (int round = 0; round < 400; round++) {
        bool v6 = prng_below(&rng, 2);
        uint32_t len = (uint32_t)prng_below(&rng, PAYLOAD_MAX), offset = 0, at = 0;
        uint16_t gso = prng_below(&rng, 4) ? (uint16_t)(1 + prng_below(&rng, 2000)) : 0;
        if (gso && gso < 20)
            len = len % 200;
        struct hawser_tx wire;
        uint8_t packet[HAWSER_TX_HEAD + PAYLOAD_MAX];
        build(&s, v6, len, gso, TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR, &rng);
        while (hawser_tx_segment(&s.tx, &offset, &wire)) {
            bool first = at == 0, last = at + wire.payload_len == len;
            hawser_tx_finish_checksum(&wire);
            size_t n = hawser_tx_flatten(&wire, packet);
            const uint8_t *tcp = packet + wire.l3_len;
            struct ip_header ip;
            assert_int_equal(ip_parse(packet, n, false, &ip), IP_OK);
            assert_int_equal(ip.header_len + ip.payload_len, n);
            assert_int_equal(get32(tcp + 4), (uint32_t)SEQ + at);
            assert_int_equal(tcp[13], TCP_ACK | (last ? TCP_PSH | TCP_FIN : 0) | (first ? TCP_CWR : 0));
            assert_int_equal(wire.payload_len, gso && !last ? gso : len - at);
            assert_memory_equal(packet + wire.head_len, s.payload + at, wire.payload_len);
            assert_true(checks_out(packet, n, v6));
            at += wire.payload_len;
        }
        assert_int_equal(at, len);
    }
}

static void an_empty_packet_is_one_packet(void **state)
{
    (void)state;
    struct prng rng;
    static struct super s;
    struct hawser_tx wire;
    uint32_t offset = 0;
    prng_seed(&rng, 1);
    build(&s, false, 0, 0, TCP_ACK, &rng);
    assert_true(hawser_tx_segment(&s.tx, &offset, &wire));
    assert_int_equal(wire.payload_len, 0);
    assert_false(hawser_tx_segment(&s.tx, &offset, &wire));
}

/* What is complete need not be TCP: no byte of it changes. */
static void a_complete_packet_stays_as_it_is(void **state)
{
    (void)state;
    struct prng rng;
    static struct super s;
    struct hawser_tx wire;
    uint8_t before[HAWSER_TX_HEAD + PAYLOAD_MAX], after[HAWSER_TX_HEAD + PAYLOAD_MAX];
    uint32_t offset = 0;
    prng_seed(&rng, 1);
    build(&s, true, 300, 100, TCP_ACK | TCP_FIN, &rng);
    prng_fill(&rng, s.tx.head, s.tx.head_len);
    s.tx.flags = HAWSER_TX_CSUM_DONE;
    size_t len = hawser_tx_flatten(&s.tx, before);
    assert_true(hawser_tx_segment(&s.tx, &offset, &wire));
    hawser_tx_finish_checksum(&wire);
    assert_int_equal(hawser_tx_flatten(&wire, after), len);
    assert_memory_equal(before, after, len);
    assert_false(hawser_tx_segment(&s.tx, &offset, &wire));
}

static void a_checksum_is_finished_once(void **state)
{
    (void)state;
    struct prng rng;
    static struct super s;
    uint8_t packet[HAWSER_TX_HEAD + PAYLOAD_MAX];
    prng_seed(&rng, 1);
    build(&s, false, 300, 0, TCP_ACK, &rng);
    hawser_tx_finish_checksum(&s.tx);
    hawser_tx_finish_checksum(&s.tx);
    assert_true(checks_out(packet, hawser_tx_flatten(&s.tx, packet), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_complete_packet_stays_as_it_is),
        cmocka_unit_test(a_checksum_is_finished_once),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(an_empty_packet_is_one_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
