/* SOCKS 5 between bytes and structs (apps/service/socks.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/socks.h"

/* A message that a reader gets in a buffer of just so many bytes, so that it cannot look further. */
#define EXACTLY(bytes, len, call)                                                                                      \
    do {                                                                                                               \
        uint8_t *at = malloc((len) ? (len) : 1);                                                                       \
        memcpy(at, bytes, len);                                                                                        \
        call;                                                                                                          \
        free(at);                                                                                                      \
    } while (0)

static struct hawser_addr addr(const char *text, uint16_t port)
{
    struct hawser_addr out;
    assert_int_equal(hawser_addr_parse(&out, text, port), 0);
    return out;
}

static void methods_are_read_once_all_are_there(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {5, 3, 1, 0, 2, 99};
    bool offered = false;
    for (size_t len = 0; len < 5; len++)
        EXACTLY(bytes, len, assert_int_equal(socks_read_methods(at, len, SOCKS_OPEN, &offered), 0));
    for (size_t len = 5; len <= sizeof bytes; len++)
        EXACTLY(bytes, len, assert_int_equal(socks_read_methods(at, len, SOCKS_OPEN, &offered), 5));
    assert_true(offered);
    assert_int_equal(socks_read_methods((const uint8_t *)"\5\1\1", 3, SOCKS_OPEN, &offered), 3);
    assert_false(offered);
    assert_int_equal(socks_read_methods((const uint8_t *)"\5\0", 2, SOCKS_OPEN, &offered), 2);
    assert_false(offered);
    assert_int_equal(socks_read_methods((const uint8_t *)"\4", 1, SOCKS_OPEN, &offered), -EPROTO);
}

static void expect_password(const char *message, size_t message_len, ssize_t expected, bool right)
{
    bool is = !right;
    for (size_t len = 0; expected > 0 && len < (size_t)expected; len++)
        EXACTLY(message, len, assert_int_equal(socks_read_password(at, len, "me", "secret", &is), 0));
    EXACTLY(message, message_len,
            assert_int_equal(socks_read_password(at, message_len, "me", "secret", &is), expected));
    if (expected > 0)
        assert_int_equal(is, right);
}

static void user_and_password_are_compared(void **state)
{
    (void)state;
    expect_password("\1\2me\6secret+", 12, 11, true);
    expect_password("\1\2me\6secreT", 11, 11, false);
    expect_password("\1\2mE\6secret", 11, 11, false);
    expect_password("\1\2me\5secre", 10, 10, false);
    expect_password("\1\2me\7secret\0", 12, 12, false);
    expect_password("\1\0\0", 3, 3, false);
    expect_password("\5\2me\6secret", 11, -EPROTO, false);
    char longest[SOCKS_MESSAGE_MAX] = "\1\377";
    longest[257] = '\377';
    expect_password(longest, sizeof longest, sizeof longest, false);
}

static struct socks_request read_whole(const void *message, size_t message_len)
{
    struct socks_request request = {.fault = SOCKS_FAILED};
    const uint8_t *bytes = message;
    for (size_t len = 0; len < message_len; len++)
        EXACTLY(bytes, len, assert_int_equal(socks_read_request(at, len, &request), 0));
    EXACTLY(bytes, message_len, assert_int_equal(socks_read_request(at, message_len, &request), message_len));
    uint8_t more[SOCKS_MESSAGE_MAX + 1] = {0};
    memcpy(more, bytes, message_len);
    assert_int_equal(socks_read_request(more, message_len + 1, &request), message_len);
    return request;
}

static void requests_are_read_once_all_is_there(void **state)
{
    (void)state;
    struct socks_request r = read_whole("\5\1\0\1\300\0\2\1\0\120", 10);
    struct hawser_addr four = addr("192.0.2.1", 80), six = addr("2001:db8::1", 443);
    assert_int_equal(r.fault, SOCKS_GRANTED);
    assert_false(r.named);
    assert_true(hawser_addr_equal(&r.addr, &four));
    r = read_whole("\5\1\0\4\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb", 22);
    assert_false(r.named);
    assert_true(hawser_addr_equal(&r.addr, &six));
    r = read_whole("\5\1\0\3\x08host.net\0\x50", 15);
    assert_int_equal(r.fault, SOCKS_GRANTED);
    assert_true(r.named);
    assert_string_equal(r.name, "host.net");
    assert_int_equal(r.addr.port, 80);
    r = read_whole("\5\1\0\3\x09"
                   "192.0.2.1\0\x50",
                   16); /* a client's that leaves all names to us: none to look up */
    assert_false(r.named);
    assert_true(hawser_addr_equal(&r.addr, &four));
    r = read_whole("\5\1\0\3\x0b"
                   "2001:db8::1\1\xbb",
                   18);
    assert_false(r.named);
    assert_true(hawser_addr_equal(&r.addr, &six));
    uint8_t longest[7 + 255] = {5, 1, 0, 3, 255};
    memset(longest + 5, 'a', 255);
    longest[261] = 7;
    r = read_whole(longest, sizeof longest);
    assert_int_equal(strlen(r.name), 255);
    assert_int_equal(r.addr.port, 7);
}

static void what_cannot_be_asked_has_its_fault(void **state)
{
    (void)state;
    struct socks_request r;
    assert_int_equal(read_whole("\5\2\0\1\300\0\2\1\0\120", 10).fault, SOCKS_NO_COMMAND);
    assert_int_equal(read_whole("\5\3\0\3\1a\0\120", 8).fault, SOCKS_NO_COMMAND);
    assert_int_equal(read_whole("\5\1\0\1\300\0\2\1\0\0", 10).fault, SOCKS_FAILED); /* port 0 */
    assert_int_equal(read_whole("\5\1\0\3\0\0\120", 7).fault, SOCKS_FAILED);        /* no name */
    assert_int_equal(read_whole("\5\1\0\3\3a\0b\0\120", 10).fault, SOCKS_FAILED);
    assert_int_equal(read_whole("\5\1\0\3\3a b\0\120", 10).fault, SOCKS_FAILED);
    assert_int_equal(socks_read_request((const uint8_t *)"\5\1\0\2zzz", 7, &r), 7);
    assert_int_equal(r.fault, SOCKS_NO_ADDRESS_TYPE);
    assert_int_equal(socks_read_request((const uint8_t *)"\4", 1, &r), -EPROTO);
    assert_int_equal(socks_read_request((const uint8_t *)"\5\1\1", 3, &r), 0);
    assert_int_equal(socks_read_request((const uint8_t *)"\5\1\1\1", 4, &r), 4); /* RFC 1928 4: RSV is 0 */
    assert_int_equal(r.fault, SOCKS_FAILED);
}

/* What one side writes the other reads. */
static void both_sides_agree(void **state)
{
    (void)state;
    uint8_t bytes[SOCKS_MESSAGE_MAX];
    char long_name[DIAL_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const struct destination all[] = {{.addr = addr("192.0.2.1", 80)},
                                      {.addr = addr("2001:db8::1", 65535)},
                                      {.name = "a", .addr = {.port = 1}},
                                      {.name = long_name + 1, .addr = {.port = 443}}};
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct socks_request r = read_whole(bytes, socks_write_request(bytes, &all[i]));
        assert_int_equal(r.fault, SOCKS_GRANTED);
        assert_int_equal(r.named, all[i].name != NULL);
        assert_int_equal(r.addr.port, all[i].addr.port);
        if (r.named)
            assert_string_equal(r.name, all[i].name);
        else
            assert_true(hawser_addr_equal(&r.addr, &all[i].addr));
    }
    const struct destination too_long = {.name = long_name, .addr = {.port = 1}},
                             none = {.name = "", .addr = {.port = 1}};
    assert_int_equal(socks_write_request(bytes, &too_long), 0);
    assert_int_equal(socks_write_request(bytes, &none), 0);
    bool offered = false;
    size_t len = socks_write_methods(bytes, SOCKS_PASSWORD);
    assert_int_equal(socks_read_methods(bytes, len, SOCKS_PASSWORD, &offered), len);
    assert_true(offered);
    for (int reply = 0; reply < 10; reply++) {
        enum socks_reply heard = SOCKS_FAILED;
        len = socks_write_reply(bytes, reply);
        for (size_t part = 0; part < len; part++)
            EXACTLY(bytes, part, assert_int_equal(socks_read_reply(at, part, &heard), 0));
        assert_int_equal(socks_read_reply(bytes, len, &heard), len);
        assert_int_equal(heard, reply);
    }
    enum socks_method method;
    len = socks_write_method(bytes, SOCKS_NO_METHOD);
    assert_int_equal(socks_read_method(bytes, 1, &method), 0);
    assert_int_equal(socks_read_method(bytes, len, &method), len);
    assert_int_equal(method, SOCKS_NO_METHOD);
    assert_int_equal(socks_read_method((const uint8_t *)"HTTP", 4, &method), -EPROTO);
    enum socks_reply reply;
    assert_int_equal(socks_read_reply((const uint8_t *)"HTTP", 4, &reply), -EPROTO);
    assert_int_equal(socks_read_reply((const uint8_t *)"\5\0\0\7", 4, &reply), -EPROTO);
    assert_int_equal(socks_read_reply((const uint8_t *)"\5\0\0\3\3abc\0\1+", 11, &reply), 10);
    assert_int_equal(socks_write_verdict(bytes, true), 2);
    assert_memory_equal(bytes, "\1\0", 2);
    assert_int_equal(socks_write_verdict(bytes, false), 2);
    assert_int_not_equal(bytes[1], 0);
}

/* An error that goes through a Hawser upstream comes out as what it was, as far as there are words for it. */
static void errors_survive_the_way(void **state)
{
    (void)state;
    static const int same[] = {0, -ECONNREFUSED, -ENETUNREACH, -EHOSTUNREACH, -ETIMEDOUT, -EACCES};
    for (size_t i = 0; i < HW_ARRAY_LEN(same); i++)
        assert_int_equal(socks_error_of(socks_reply_of(same[i])), same[i]);
    static const int to_hawser[] = {0, -ECONNREFUSED, -EHOSTUNREACH, -ENOENT, -EREMOTEIO};
    for (size_t i = 0; i < HW_ARRAY_LEN(to_hawser); i++)
        assert_int_equal(socks_error_of(socks_reply_to_hawser(to_hawser[i])), to_hawser[i]);
    assert_int_equal(socks_reply_of(-EREMOTEIO), SOCKS_HOST_UNREACHABLE);
    assert_int_equal(socks_error_of(socks_reply_of(-ENOENT)), -EHOSTUNREACH);
    assert_int_equal(socks_error_of(socks_reply_of(-EADDRNOTAVAIL)), -ECONNRESET);
    assert_int_equal(socks_reply_of(-ENOMEM), SOCKS_FAILED);
    assert_int_equal(socks_error_of(SOCKS_FAILED), -ECONNRESET);
    assert_int_equal(socks_error_of(200), -ECONNRESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_read_once_all_are_there),
        cmocka_unit_test(user_and_password_are_compared),
        cmocka_unit_test(requests_are_read_once_all_is_there),
        cmocka_unit_test(what_cannot_be_asked_has_its_fault),
        cmocka_unit_test(both_sides_agree),
        cmocka_unit_test(errors_survive_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
