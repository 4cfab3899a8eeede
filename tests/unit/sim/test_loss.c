/* Loss and damage on the wire: frequencies within five standard deviations, each stated where it is used. */
#include "unit/sim/lanes.h"

#include "unit/link/packets.h"

/* Sends `n` packets; lost[i] says which did not arrive. */
static unsigned send_many(struct bench *b, uint32_t n, bool *lost)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < n; i++) {
        push(b, T0 + i, 100, i);
        struct packet *packet = lane_pop(&b->lane, T0 + i);
        lost[i] = !packet;
        count += lost[i];
        if (packet)
            packet_free(packet);
    }
    return count;
}

static void independent_loss(void **state)
{
    (void)state;
    enum { N = 200000 };
    static bool lost[N];
    struct bench b;
    unsigned pairs = 0;
    bench_start(&b, (struct lane_config){.loss = {.kind = LOSS_INDEPENDENT, .ppm = 20000}});
    unsigned count = send_many(&b, N, lost);
    for (uint32_t i = 1; i < N; i++)
        pairs += lost[i] && lost[i - 1];
    assert_in_range(count, 4000 - 313, 4000 + 313); /* deviation sqrt(N 0.02 0.98) = 62.6 */
    assert_in_range(pairs, 80 - 46, 80 + 46);       /* N 0.02^2, deviation about sqrt(80 (1 + 2 0.02)) = 9.1 */
    assert_true(b.lane.counters.lost_wire == count);
    bench_finish(&b);
}

static void none_and_all(void **state)
{
    (void)state;
    static bool lost[1000];
    static const enum loss_kind kinds[] = {LOSS_NONE, LOSS_INDEPENDENT, LOSS_INDEPENDENT};
    static const uint32_t ppm[] = {PPM_ALL, 0, PPM_ALL}, expected[] = {0, 0, 1000};
    for (unsigned i = 0; i < 3; i++) {
        struct bench b;
        bench_start(&b, (struct lane_config){.loss = {.kind = kinds[i], .ppm = ppm[i]}});
        assert_int_equal(send_many(&b, 1000, lost), expected[i]);
        bench_finish(&b);
    }
}

/* Gilbert's model: all is lost in the bad state, which is entered with p = 1 % and left with r = 25 %: a share of
 * p / (p + r) = 3.846 % in bursts of 1 / r = 4. */
static void bursts_have_the_length_and_share_of_the_formula(void **state)
{
    (void)state;
    enum { N = 500000 };
    static bool lost[N];
    struct bench b;
    unsigned bursts = 0;
    bench_start(&b, (struct lane_config){
                        .loss = {.kind = LOSS_BURSTY, .to_bad_ppm = 10000, .to_good_ppm = 250000, .bad_ppm = PPM_ALL}});
    unsigned count = send_many(&b, N, lost);
    for (uint32_t i = 0; i < N; i++)
        bursts += lost[i] && (i == 0 || !lost[i - 1]);
    /* A cycle of good and bad takes 104 packets: 4808 bursts, deviation about sqrt(4808) = 69. A burst's length
     * deviates by sqrt(1 - r) / r = 3.46, so the mean of 4808 by 0.05, and the sum by 69 sqrt(16 + 12) = 366. */
    assert_in_range(bursts, 4808 - 345, 4808 + 345);
    assert_in_range(count * 100 / bursts, 375, 425);
    assert_in_range(count, 19231 - 1830, 19231 + 1830);
    bench_finish(&b);
}

/* Elliott's: a share of packets is lost in either state. 1/3 of the time bad: (2 * 0.03 + 0.6) / 3 = 22 %. */
static void both_states_lose_their_share(void **state)
{
    (void)state;
    enum { N = 300000 };
    static bool lost[N];
    struct bench b;
    bench_start(&b, (struct lane_config){.loss = {.kind = LOSS_BURSTY,
                                                  .to_bad_ppm = 100000,
                                                  .to_good_ppm = 200000,
                                                  .good_ppm = 30000,
                                                  .bad_ppm = 600000}});
    unsigned count = send_many(&b, N, lost);
    /* The chain forgets with 0.7 a step, so its part of the variance is (1 + 0.7) / (1 - 0.7) = 5.7 times that of
     * independent states: sqrt(N (0.22 0.78 + 5.7 (2/9) 0.57^2)) = 417 at most. */
    assert_in_range(count, 66000 - 2085, 66000 + 2085);
    bench_finish(&b);
}

/* ---- damage ---- */

static struct packet *tcp_packet(struct world *world, bool v6, const uint8_t *payload, uint32_t len)
{
    struct packet_flow flow = {.src = packet_addr(v6 ? "2001:db8::1" : "10.0.0.1", 1000),
                               .dst = packet_addr(v6 ? "2001:db8::2" : "10.0.0.2", 80),
                               .flags = TCP_ACK,
                               .window = 1000};
    struct hawser_tx tx = packet_make(&flow, payload, len, 0);
    struct packet *packet = packet_from_tx(world->packets, &tx);
    assert_non_null(packet);
    return packet;
}

/* As a receiver would judge it. */
static bool sound(const struct packet *packet)
{
    struct ip_header ip;
    struct csum sum = {0};
    if (ip_parse(packet->data, packet->len, false, &ip) != IP_OK || ip.protocol != IP_PROTO_TCP)
        return false;
    csum_add_pseudo(&sum, &ip.src, &ip.dst, ip.payload_len);
    csum_add(&sum, packet->data + ip.header_len, ip.payload_len);
    return csum_finish(&sum) == 0;
}

static unsigned differing_bits(const struct packet *a, const struct packet *b)
{
    unsigned bits = 0;
    assert_int_equal(a->len, b->len);
    for (uint32_t i = 0; i < a->len; i++)
        for (unsigned diff = a->data[i] ^ b->data[i]; diff; diff &= diff - 1)
            bits++;
    return bits;
}

static void corruption_flips_one_bit_that_the_checksum_tells(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct bench b;
    uint8_t payload[101] = "some payload that is worth protecting";
    unsigned flipped = 0;
    bench_start(&b, (struct lane_config){.corrupt_ppm = 300000});
    struct packet *original = tcp_packet(&b.world, false, payload, sizeof payload);
    packet_settle(original);
    assert_true(sound(original));
    for (uint32_t i = 0; i < N; i++) {
        lane_push(&b.lane, tcp_packet(&b.world, false, payload, sizeof payload), T0 + i);
        struct packet *packet = lane_pop(&b.lane, T0 + i);
        assert_non_null(packet);
        if (packet->damaged) {
            flipped++;
            assert_false(packet->checksum_pending);
            assert_int_equal(differing_bits(packet, original), 1);
            assert_false(sound(packet));
        } else {
            packet_settle(packet);
            assert_int_equal(differing_bits(packet, original), 0);
        }
        packet_free(packet);
    }
    assert_true(b.lane.counters.corrupted == flipped);
    assert_in_range(flipped, 1500 - 163, 1500 + 163); /* deviation sqrt(N 0.3 0.7) = 32.4 */
    packet_free(original);
    bench_finish(&b);
}

/* A box that rewrites a damaged packet must not make it look sound. */
static void rewriting_does_not_repair(void **state)
{
    (void)state;
    struct bench b;
    uint8_t payload[100] = "x";
    bench_start(&b, (struct lane_config){0});
    for (unsigned v6 = 0; v6 < 2; v6++)
        for (unsigned damaged = 0; damaged < 2; damaged++) {
            struct packet *packet = tcp_packet(&b.world, v6, payload, sizeof payload);
            packet_settle(packet);
            packet->data[packet->len - 1] ^= 0x10;
            packet->damaged = damaged;
            packet_rewritten(packet);
            assert_int_equal(sound(packet), !damaged);
            packet_free(packet);
        }
    bench_finish(&b);
}

/* ---- streams of randomness ---- */

/* Which packets a lane of that configuration loses, as a hash. */
static uint64_t fates(const struct lane_config *config)
{
    struct bench b;
    uint64_t hash = 0;
    bench_start(&b, *config);
    for (uint32_t i = 0; i < 2000; i++) {
        uint64_t lost = b.lane.counters.lost_wire;
        push(&b, T0 + i, 100, i);
        hash = hash * 3 + (b.lane.counters.lost_wire - lost);
    }
    (void)drain(&b, TIME_NEVER - 1);
    bench_finish(&b);
    return hash;
}

static void another_fault_does_not_move_the_losses(void **state)
{
    (void)state;
    struct lane_config config = {.loss = {.kind = LOSS_INDEPENDENT, .ppm = 100000}};
    uint64_t alone = fates(&config);
    config.jitter_ns = NS_PER_MS;
    assert_true(fates(&config) == alone);
    config.duplicate_ppm = config.corrupt_ppm = config.reorder_ppm = 100000;
    assert_true(fates(&config) == alone);
    config.loss.ppm += 20000;
    assert_false(fates(&config) == alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(independent_loss),
        cmocka_unit_test(none_and_all),
        cmocka_unit_test(bursts_have_the_length_and_share_of_the_formula),
        cmocka_unit_test(both_states_lose_their_share),
        cmocka_unit_test(corruption_flips_one_bit_that_the_checksum_tells),
        cmocka_unit_test(rewriting_does_not_repair),
        cmocka_unit_test(another_fault_does_not_move_the_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
