/* What the keeper of a program's network says of connections when the service is gone (apps/run/reset.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/compiler.h"
#include "link/packets.h"
#include "run/reset.h"
#include "support.h"

enum { PAYLOAD = 500 };

static struct packet_flow flow_of(bool v4, uint8_t flags)
{
    return (struct packet_flow){.src = packet_addr(v4 ? "198.19.0.2" : "2001:2::2", 40000),
                                .dst = packet_addr(v4 ? "192.0.2.1" : "2001:db8::1", 443),
                                .seq = seq_at(0xffffff00),
                                .ack = seq_at(77777),
                                .flags = flags};
}

static size_t flatten(const struct packet_flow *flow, uint32_t payload_len, uint8_t *packet)
{
    static const uint8_t payload[PAYLOAD];
    struct hawser_tx tx = packet_make(flow, payload, payload_len, 0);
    return hawser_tx_flatten(&tx, packet);
}

static void whatever_comes_is_reset(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t payload_len, taken;
    } cases[] = {
        {TCP_SYN, 0, 1},           {TCP_ACK, PAYLOAD, 0},
        {TCP_ACK | TCP_FIN, 0, 0}, {TCP_SYN | TCP_FIN, PAYLOAD, PAYLOAD + 2},
        {0, PAYLOAD, PAYLOAD},
    };
    for (unsigned i = 0; i < 2 * HW_ARRAY_LEN(cases); i++) {
        bool v4 = i & 1;
        uint8_t packet[2000], answer[RESET_PACKET_MAX];
        struct packet_flow flow = flow_of(v4, cases[i / 2].flags);
        size_t len = reset_answer(packet, flatten(&flow, cases[i / 2].payload_len, packet), answer);
        assert_in_range(len, 1, sizeof answer);
        struct packet_view view = packet_parse(answer, (uint32_t)len, false);
        assert_true(packet_checksum_ok(answer, &view));
        assert_true(hawser_addr_same_ip(&view.ip.src, &flow.dst));
        assert_true(hawser_addr_same_ip(&view.ip.dst, &flow.src));
        assert_int_equal(view.tcp.src_port, 443);
        assert_int_equal(view.tcp.dst_port, 40000);
        if (flow.flags & TCP_ACK) { /* RFC 9293 3.10.7.1 */
            assert_int_equal(view.tcp.flags, TCP_RST);
            assert_int_equal(view.tcp.seq.v, flow.ack.v);
        } else {
            assert_int_equal(view.tcp.flags, TCP_RST | TCP_ACK);
            assert_int_equal(view.tcp.ack.v, seq_add(flow.seq, cases[i / 2].taken).v);
        }
    }
}

static void what_is_no_segment_is_not_answered(void **state)
{
    (void)state;
    uint8_t answer[RESET_PACKET_MAX];
    for (unsigned v4 = 0; v4 < 2; v4++) {
        uint8_t packet[2000];
        struct packet_flow flow = flow_of(v4, TCP_RST | TCP_ACK);
        size_t len = flatten(&flow, 0, packet);
        assert_int_equal(reset_answer(packet, len, answer), 0);
        flow.flags = TCP_ACK;
        len = flatten(&flow, 0, packet);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *copy = malloc(cut + 1);
            assert_non_null(copy);
            memcpy(copy, packet, cut);
            assert_int_equal(reset_answer(copy, cut, answer), 0);
            free(copy);
        }
        packet[v4 ? 9 : 6] = 17; /* UDP */
        if (v4) {
            struct csum sum = {0};
            memset(packet + 10, 0, 2);
            csum_add(&sum, packet, 20);
            put16(packet + 10, csum_finish(&sum));
        }
        assert_int_equal(reset_answer(packet, len, answer), 0);
    }
}

static void a_question_is_an_acknowledgement(void **state)
{
    (void)state;
    for (unsigned v4 = 0; v4 < 2; v4++) {
        uint8_t packet[RESET_PACKET_MAX];
        struct packet_flow flow = flow_of(v4, 0);
        size_t len = reset_question(&flow.dst, &flow.src, 0x80000000, packet);
        struct packet_view view = packet_parse(packet, (uint32_t)len, false);
        assert_true(packet_checksum_ok(packet, &view));
        assert_true(hawser_addr_same_ip(&view.ip.src, &flow.dst));
        assert_int_equal(view.tcp.flags, TCP_ACK);
        assert_int_equal(view.tcp.seq.v, 0x80000000);
        assert_int_equal(view.tcp.src_port, 443);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_comes_is_reset),
        cmocka_unit_test(what_is_no_segment_is_not_answered),
        cmocka_unit_test(a_question_is_an_acknowledgement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
