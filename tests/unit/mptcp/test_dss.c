/* The DSS option as it is written and read (RFC 8684 3.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "mptcp/dss.h"
#include "wire/checksum.h"

#define UNA UINT64_C(0x00000001fffffff0)
#define RCV UINT64_C(0x0000000500000010)
#define SSN UINT64_C(0x1fffffff8)

static struct dss_news read_map(struct mp_dss dss)
{
    dss.has_map = true;
    return dss_read(&dss, dsn_at(UNA), dsn_at(RCV), SSN);
}

static void short_numbers_stand_for_the_nearest(void **state)
{
    (void)state;
    struct mp_dss ack = {.has_ack = true, .ack = 0x00000010};
    struct dss_news news = dss_read(&ack, dsn_at(UNA), dsn_at(RCV), SSN);
    assert_true(news.has_ack && news.maps == DSS_NOTHING);
    assert_int_equal(news.ack.v, UINT64_C(0x200000010)); /* past the wrap */
    ack.ack_is_64 = true;
    assert_int_equal(dss_read(&ack, dsn_at(UNA), dsn_at(RCV), SSN).ack.v, 0x10);

    news = read_map((struct mp_dss){.dsn = 0xfffffff0, .ssn = 3, .len = 7});
    assert_int_equal(news.maps, DSS_BYTES);
    assert_false(news.dsn_is_64);
    assert_int_equal(news.map.dsn.v, UINT64_C(0x4fffffff0)); /* before it */
    assert_int_equal(news.map.ssn, UINT64_C(0x200000003));
    assert_int_equal(news.map.len, 7);
    news = read_map((struct mp_dss){.dsn_is_64 = true, .dsn = 5, .ssn = 3, .len = 7});
    assert_true(news.dsn_is_64 && news.map.dsn.v == 5);
}

/* RFC 8684 3.3.3: the DATA_FIN takes the last number of the mapping, and nothing of the payload. */
static void a_data_fin_is_taken_off_its_mapping(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct csum payload = {0, false};
    csum_add(&payload, bytes, sizeof bytes);
    for (uint32_t at = 0; at < 0x30000; at += 0xfff) { /* all kinds of carries */
        uint64_t dsn = UINT64_C(0xffffffff00000000) + at;
        struct csum sum = payload;
        struct dss_news news = read_map((struct mp_dss){.dsn_is_64 = true,
                                                        .dsn = dsn,
                                                        .ssn = at,
                                                        .len = sizeof bytes + 1,
                                                        .has_checksum = true,
                                                        .data_fin = true,
                                                        .checksum = csum_dss(dsn, at, sizeof bytes + 1, &sum)});
        assert_int_equal(news.maps, DSS_END);
        assert_int_equal(news.map.len, sizeof bytes);
        sum = payload;
        assert_true(csum_same(csum_dss(dsn, at, sizeof bytes, &sum), news.map.checksum));
    }
    assert_int_equal(read_map((struct mp_dss){.data_fin = true, .len = 1}).maps, DSS_END);
    assert_int_equal(read_map((struct mp_dss){.data_fin = true, .len = 1}).map.len, 0);
    assert_true(read_map((struct mp_dss){.data_fin = true, .len = 1}).map.ends);
    assert_false(read_map((struct mp_dss){.len = 1}).map.ends);
    assert_int_equal(read_map((struct mp_dss){.data_fin = true}).maps, DSS_INVALID);
    assert_int_equal(read_map((struct mp_dss){.len = 0}).maps, DSS_INFINITE);
}

static struct mp_dss write(struct dss_facts facts)
{
    struct mptcp_options mp = {0};
    facts.rcv_next = dsn_at(RCV);
    dss_write(&facts, &mp);
    assert_true(mptcp_has(&mp, MPTCP_DSS) && mp.dss.has_ack);
    assert_int_equal(mp.dss.ack, RCV);
    return mp.dss;
}

static void what_is_written(void **state)
{
    (void)state;
    const struct tx_note note = {.dsn = UNA, .ssn = SSN, .len = 1000, .checksum = 0x1234, .mapped = true};
    assert_true(write((struct dss_facts){.bare = true}).ack_is_64);
    assert_false(write((struct dss_facts){.note = &note}).ack_is_64);
    struct mp_dss dss = write((struct dss_facts){.note = &note, .peer_dsn_64 = true, .checksums = true});
    assert_true(dss.ack_is_64 && dss.ack_stays_64); /* RFC 8684 3.3.2 */
    assert_true(dss.has_map && dss.dsn_is_64 && dss.has_checksum && !dss.data_fin);
    assert_int_equal(dss.dsn, UNA);
    assert_int_equal(dss.ssn, (uint32_t)SSN);
    assert_int_equal(dss.len, 1000);
    assert_int_equal(dss.checksum, 0x1234);
    dss = write((struct dss_facts){.bare = true, .fin = true, .end = dsn_at(UNA), .checksums = true});
    assert_true(dss.has_map && dss.data_fin && dss.has_checksum);
    assert_int_equal(dss.ssn, 0);
    assert_int_equal(dss.len, 1);
    assert_int_equal(dss.dsn, UNA);
    const struct csum nothing = {0, false};
    assert_true(csum_same(csum_dss(UNA, 0, 1, &nothing), dss.checksum));
    struct dss_news read = dss_read(&dss, dsn_at(UNA), dsn_at(UNA), 77);
    assert_true(dss_end_is_proved(&read.map));
    read.map.checksum++;
    assert_false(dss_end_is_proved(&read.map));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_numbers_stand_for_the_nearest),
        cmocka_unit_test(a_data_fin_is_taken_off_its_mapping),
        cmocka_unit_test(what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
