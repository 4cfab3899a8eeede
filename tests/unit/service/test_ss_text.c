/* What people read of connections and of the service (apps/service/ss_text.h, status_text.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/ss_text.h"
#include "service/status_text.h"

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

static void status_of_the_service(void **state)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    json_t *status = read_json(
        "{\"version\":\"0.1.0\",\"pid\":77,\"uptime_s\":3725,\"connections\":{\"now\":1,\"so_far\":9,\"reset\":2,"
        "\"bytes_out\":30,\"bytes_in\":40},\"doors\":[{\"door\":\"lan0\",\"asked\":1,\"accepted\":2,\"waiting\":3,"
        "\"gave_up\":4,\"refused\":5,\"unreachable\":6,\"prohibited\":7,\"silent\":8,\"without_mptcp\":9,\"without_"
        "port\":10}],"
        "\"doors_not_listed\":3,\"ports\":[{\"port\":\"127.0.0.1:1080\",\"accepted\":1,\"waiting\":2,\"gave_up\":3,"
        "\"refused\":6,\"refused_by_destination\":4,\"nonsense\":5}],\"published\":[{\"port\":443,\"accepted\":1,"
        "\"waiting\":2,\"refused\":4,\"turned_away\":3},{\"port\":8080,\"program\":\"python3\",\"user\":1000},"
        "{\"port\":8081,\"user\":1000}],\"upstream\":{\"server\":\"far.example:8443\",\"asked\":1,\"unreachable\":2,"
        "\"strangers\":3,\"failure\":\"it "
        "expired\"},\"uplinks\":[{\"uplink\":\"wan0\",\"outside\":\"192.168.0.1\",\"inside\":\"198.18.0.1\","
        "\"carrier\":true,\"backup\":true},{\"uplink\":\"wan1\",\"outside\":\"192.168.1.1\",\"inside\":\"198.18.0.2\","
        "\"carrier\":false}],\"remarks\":[\"a VPN is there\"]}");
    (void)state;
    assert_non_null(out);
    status_text_print(out, status);
    fclose(out);
    assert_string_equal(
        text,
        "hawser 0.1.0, process 77, up for 1:02:05\n"
        "connections  1 now, 9 so far, 2 of them reset; 30 bytes out, 40 in\n"
        "door         lan0: 1 asked, 2 accepted, 3 wait, 4 gave up; 5 refused, 6 unreachable, 7 prohibited, 8 without "
        "an answer; 9 refused for want of Multipath TCP, 10 kept waiting for want of a port\n"
        "and 3 more doors\n"
        "port         127.0.0.1:1080: 1 accepted, 2 wait, 3 gave up; 6 refused, 4 of them by the destination, 5 for "
        "nonsense\n"
        "published    443: 1 accepted, 2 wait; 4 refused, 3 turned away\n"
        "published    8080: 0 accepted, 0 wait; 0 refused, 0 turned away; by python3 of user 1000\n"
        "published    8081: 0 accepted, 0 wait; 0 refused, 0 turned away; by a program of user 1000\n"
        "upstream     far.example:8443: 1 asked, 2 times not reached, 3 times somebody with another key or "
        "certificate, or no Hawser; the last time: it expired\n"
        "uplink       wan0: 192.168.0.1, inside 198.18.0.1, a backup\n"
        "uplink       wan1: 192.168.1.1, inside 198.18.0.2, no carrier\n"
        "remark       a VPN is there\n");
    free(text);
    json_decref(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_of_a_connection),
        cmocka_unit_test(one_line),
        cmocka_unit_test(rates),
        cmocka_unit_test(status_of_the_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
