/* What people read of connections (apps/service/ss_text.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/ss_text.h"

static json_t *read_json(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &error);
    if (!json)
        fail_msg("%s: column %d of %s", error.text, error.column, text);
    return json;
}

static void expect_list(const char *now, const char *before, const char *expected)
{
    json_t *list = read_json(now), *earlier = before ? read_json(before) : NULL;
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    ss_text_print(out, list, earlier);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    json_decref(list);
    json_decref(earlier);
}

static void paths_of_a_connection(void **state)
{
    (void)state;
    expect_list(
        "[{\"id\":1,\"door\":\"lan0\",\"client\":\"10.77.0.2:41234\",\"destination\":\"10.8.0.1:19\",\"age_ms\":300,"
        "\"out_bytes\":0,\"in_bytes\":1234567,\"mptcp\":true,\"scheduler\":\"lowest-rtt\",\"reinjected_bytes\":3000,"
        "\"copied_bytes\":950,\"subflows\":[{\"uplink\":\"wan0\",\"outside\":\"192.168.0.1\",\"id\":0,"
        "\"local\":\"198.18.0.1:20001\",\"remote\":\"10.8.0.1:19\",\"state\":\"ESTABLISHED\",\"backup\":false,"
        "\"rtt_us\":10340,\"rtt_min_us\":9790,\"cwnd_bytes\":14000,\"in_flight_bytes\":2900,"
        "\"peer_window_bytes\":65535,\"rate_bps\":11000000,\"sent_bytes\":0,\"recv_bytes\":600000,"
        "\"retransmitted_bytes\":1400,\"timeouts\":2},{\"id\":1,\"local\":\"198.18.1.1:20002\","
        "\"remote\":\"10.8.0.1:19\",\"state\":\"CLOSE-WAIT\",\"backup\":true,\"rtt_us\":0,\"rtt_min_us\":0,"
        "\"cwnd_bytes\":999,\"in_flight_bytes\":0,\"peer_window_bytes\":0,\"rate_bps\":0,\"sent_bytes\":0,"
        "\"recv_bytes\":0,\"retransmitted_bytes\":0,\"timeouts\":0}]}]",
        NULL,
        "10.77.0.2:41234 -> 10.8.0.1:19  lan0  0.3 s, out 0, in 1.2M  Multipath TCP, elsewhere again 3.0k, copied 950\n"
        "    wan0 198.18.0.1:20001 (192.168.0.1) -> 10.8.0.1:19 ESTABLISHED, out 0, in 600k\n"
        "        rtt 10.3 ms (least 9.8), window 14k (11Mbit/s), peer's 66k, in flight 2.9k, again 1.4k, timeouts 2\n"
        "    - 198.18.1.1:20002 -> 10.8.0.1:19 CLOSE-WAIT, backup, out 0, in 0\n"
        "        rtt 0.0 ms (least 0.0), window 999 (0bit/s), peer's 0, in flight 0\n");
}

/* By which door or program, whose; where to, and by what; plain TCP, and why. */
static void one_line(void **state)
{
#define ENDS "\"id\":1,\"client\":\"a:1\",\"destination\":\"b:2\",\"age_ms\":1000,\"out_bytes\":1,\"in_bytes\":2"
    static const char *const table[][2] = {
        {"\"door\":\"programs\",\"program\":\"curl\",\"user\":1000",
         "a:1 -> b:2  curl of user 1000  1.0 s, out 1, in 2"},
        {"\"door\":\"programs\",\"user\":0", "a:1 -> b:2  user 0  1.0 s, out 1, in 2"},
        {"\"door\":\"published 8080\",\"program\":\"nginx\",\"user\":33",
         "a:1 -> b:2  published 8080, nginx of user 33  1.0 s, out 1, in 2"},
        {"\"door\":\"published 8080\"", "a:1 -> b:2  published 8080  1.0 s, out 1, in 2"},
        {"\"door\":\"SOCKS 127.0.0.1:1080\",\"address\":\"192.0.2.1:2\"",
         "a:1 -> b:2 (192.0.2.1:2)  SOCKS 127.0.0.1:1080  1.0 s, out 1, in 2"},
        {"\"door\":\"lan0\",\"upstream\":\"far.example:8443\"",
         "a:1 -> b:2 by upstream far.example:8443  lan0  1.0 s, out 1, in 2"},
        {"\"mptcp\":true", "a:1 -> b:2  -  1.0 s, out 1, in 2  Multipath TCP"},
        {"\"mptcp\":false", "a:1 -> b:2  -  1.0 s, out 1, in 2  TCP"},
        {"\"mptcp\":false,\"plain_why\":\"not offered\"", "a:1 -> b:2  -  1.0 s, out 1, in 2  TCP: not offered"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char now[512], expected[256];
        snprintf(now, sizeof now, "[{" ENDS ",%s}]", table[i][0]);
        snprintf(expected, sizeof expected, "%s\n", table[i][1]);
        expect_list(now, NULL, expected);
    }
}

/* Of the time that really passed; who is new has none, and nobody has a negative one. */
static void rates(void **state)
{
#define PATH(name, sent, received)                                                                                     \
    "{\"local\":\"" name "\",\"remote\":\"r\",\"state\":\"ESTABLISHED\",\"sent_bytes\":" sent                          \
    ",\"recv_bytes\":" received "}"
#define NUMBERS "        rtt 0.0 ms (least 0.0), window 0 (0bit/s), peer's 0, in flight 0\n"
    (void)state;
    expect_list(
        "[{\"id\":2,\"client\":\"a\",\"destination\":\"b\",\"age_ms\":3000,\"out_bytes\":3000,\"in_bytes\":0,"
        "\"subflows\":[" PATH("q", "9", "9") "," PATH("p", "10",
                                                      "2000000") "]},"
                                                                 "{\"id\":3,\"client\":\"c\",\"destination\":\"d\","
                                                                 "\"age_ms\":10,\"out_bytes\":7,\"in_bytes\":8}]",
        "[{\"id\":1},{\"id\":2,\"age_ms\":1000,\"out_bytes\":1000,\"in_bytes\":0,\"subflows\":[" PATH("p", "20",
                                                                                                      "1000000") "]}]",
        "a -> b  -  3.0 s, out 3.0k 8.0kbit/s, in 0 0bit/s\n"
        "    - q -> r ESTABLISHED, out 9, in 9\n" NUMBERS
        "    - p -> r ESTABLISHED, out 10 0bit/s, in 2.0M 4.0Mbit/s\n" NUMBERS "c -> d  -  0.0 s, out 7, in 8\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_of_a_connection),
        cmocka_unit_test(one_line),
        cmocka_unit_test(rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
