/* The head of a request to an HTTP proxy (apps/service/http_connect.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/http_connect.h"

/* In pieces of `step` bytes; says how many bytes of `text` were the head's. */
static struct http_request feed(const char *text, size_t len, size_t step, const char *login, size_t *head)
{
    struct http_connect *http = malloc(sizeof *http);
    struct http_request request;
    bool done = false;
    *head = 0;
    http_connect_init(http);
    while (!done && *head < len) {
        size_t piece = HW_MIN(step, len - *head), taken;
        uint8_t *exact = malloc(piece);
        memcpy(exact, text + *head, piece);
        taken = http_connect_feed(http, exact, piece, &done);
        free(exact);
        assert_true(taken <= piece);
        assert_true(done || taken == piece);
        *head += taken;
    }
    http_connect_request(http, login, &request);
    if (!done)
        request.status = 0;
    free(http);
    return request;
}

static void expect(const char *text, const char *login, int status)
{
    size_t head;
    for (size_t step = 1; step <= strlen(text); step += 1 + step / 4) {
        struct http_request request = feed(text, strlen(text), step, login, &head);
        if (request.status != status)
            fail_msg("%d, not %d, in steps of %zu: %s", request.status, status, step, text);
    }
}

static void a_head_ends_where_it_ends(void **state)
{
    (void)state;
    static const char text[] = "CONNECT host.example:443 HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n\x16\x03\x01rest";
    const size_t end = sizeof text - 1 - 7;
    for (size_t step = 1; step < sizeof text; step++) {
        size_t head;
        struct http_request request = feed(text, sizeof text - 1, step, NULL, &head);
        assert_int_equal(request.status, 200);
        assert_int_equal(head, end);
        assert_true(request.named);
        assert_string_equal(request.name, "host.example");
        assert_int_equal(request.addr.port, 443);
    }
    for (size_t len = 1; len < end; len++) {
        size_t head;
        assert_int_equal(feed(text, len, len, NULL, &head).status, 0); /* there must be more */
        assert_int_equal(head, len);
    }
}

static void expect_target(const char *target, const char *name, const char *address)
{
    char text[400];
    size_t head;
    snprintf(text, sizeof text, "CONNECT %s HTTP/1.1\r\n\r\n", target);
    struct http_request request = feed(text, strlen(text), 7, NULL, &head);
    if (!name && !address) {
        assert_int_equal(request.status, 400);
        return;
    }
    assert_int_equal(request.status, 200);
    assert_int_equal(request.named, name != NULL);
    struct hawser_addr expected;
    if (address) {
        assert_int_equal(hawser_addr_parse(&expected, address, 80), 0);
        assert_true(hawser_addr_equal(&request.addr, &expected));
    } else {
        assert_string_equal(request.name, name);
    }
}

static void targets(void **state)
{
    (void)state;
    char longest[DIAL_NAME_MAX + 5] = "";
    expect_target("a:80", "a", NULL);
    expect_target("192.0.2.1:80", NULL, "192.0.2.1");
    expect_target("[2001:db8::1]:80", NULL, "2001:db8::1");
    expect_target("a", NULL, NULL);
    expect_target("a:0", NULL, NULL);
    expect_target("a:65536", NULL, NULL);
    expect_target("a:-1", NULL, NULL);
    expect_target(":80", NULL, NULL);
    expect_target("[2001:db8::zz]:80", NULL, NULL);
    expect_target("http://a:80/", NULL, NULL);
    memset(longest, 'a', DIAL_NAME_MAX);
    memcpy(longest + DIAL_NAME_MAX, ":80", 4);
    char name[DIAL_NAME_MAX + 1] = "";
    memset(name, 'a', DIAL_NAME_MAX);
    expect_target(longest, name, NULL);
}

static void only_connect(void **state)
{
    (void)state;
    expect("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 405);
    expect("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", NULL, 405);
    expect("CONNECT a:80 HTTP/1.1\r\n\r\n", NULL, 200);
    expect("CONNECT a:80 HTTP/1.0\r\n\r\n", NULL, 200);
    expect("NONSENSE a:80 HTTP/1.1\r\n\r\n", NULL, 400);
    expect("CONNECT a:80\r\n\r\n", NULL, 400);
    expect("CONNECT a:80 HTTP/1.1\r\nno colon\r\n\r\n", NULL, 400);
    expect("CONNECT a:80 SMTP/1.1\r\n\r\n", NULL, 400);
    expect("C\1NNECT a:80 HTTP/1.1\r\n\r\n", NULL, 400);
}

#define HEAD "CONNECT a:80 HTTP/1.1\r\n"

static void credentials(void **state)
{
    (void)state;
    static const char me[] = "me:secret"; /* bWU6c2VjcmV0 */
    expect(HEAD "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n", me, 200);
    expect(HEAD "Host: a\r\nproxy-authorization:  basic   bWU6c2VjcmV0\r\nX: y\r\n\r\n", me, 200);
    expect(HEAD "\r\n", me, 407);
    expect(HEAD "Authorization: Basic bWU6c2VjcmV0\r\n\r\n", me, 407);
    expect(HEAD "Proxy-Authorization: Digest bWU6c2VjcmV0\r\n\r\n", me, 407);
    expect(HEAD "Proxy-Authorization: Basic bWU6c2VjcmV1\r\n\r\n", me, 407);
    expect(HEAD "Proxy-Authorization: Basic bWU6c2VjcmV0bWU=\r\n\r\n", me, 407);
    expect(HEAD "Proxy-Authorization: Basic bWU6\r\n\r\n", me, 407);
    expect(HEAD "Proxy-Authorization: Basic !!!!\r\n\r\n", me, 407);
    expect(HEAD "Proxy-Authorization: Basic\r\n\r\n", me, 407);
    expect(HEAD "Proxy-Authorization: \r\n\r\n", me, 407);
    expect("GET / HTTP/1.1\r\n\r\n", me, 407); /* nobody learns more */
    expect(HEAD "Proxy-Authorization: Basic x\r\n\r\n", NULL, 200);
}

static void what_is_too_long(void **state)
{
    (void)state;
    char *text = malloc(3 * HTTP_HEAD_MAX);
    size_t head;
    assert_non_null(text);
    static const char *const begins[] = {"CONNECT ", HEAD "X: ", HEAD "", HEAD "Proxy-Authorization: Basic "};
    for (unsigned i = 0; i < HW_ARRAY_LEN(begins); i++) {
        size_t len = strlen(begins[i]);
        memcpy(text, begins[i], len);
        memset(text + len, 'a', 2 * HTTP_HEAD_MAX);
        for (size_t step = 1; step < 2 * HTTP_HEAD_MAX; step *= 3) {
            struct http_request request = feed(text, len + 2 * HTTP_HEAD_MAX, step, NULL, &head);
            assert_int_equal(request.status, 431);
            assert_true(head <= HTTP_HEAD_MAX);
        }
    }
    free(text);
}

/* Any bytes whatever have an end. */
static void anything(void **state)
{
    (void)state;
    char text[600];
    size_t head;
    unsigned seed = 1;
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, HEAD "Proxy-Authorization: Basic bWU6c2VjcmV0\r\nX: y\r\n\r\n");
        size_t len = strlen(text);
        for (unsigned k = 0; k < 1 + i % 4; k++) {
            seed = seed * 1103515245 + 12345;
            text[(seed >> 16) % len] = (char)(seed >> 8);
        }
        feed(text, len, 1 + i % 60, "me:secret", &head);
    }
}

static void answers(void **state)
{
    (void)state;
    char text[HTTP_ANSWER_MAX + 1], body[HTTP_WHY_MAX + 20];
    static const int all[] = {400, 403, 405, 407, 408, 431, 502, 503, 504};
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        char first[20];
        int len = -1;
        char why[HTTP_WHY_MAX + 20] = "";
        memset(why, 'y', sizeof why - 1);
        size_t n = http_connect_answer(text, all[i], why);
        assert_true(n < HTTP_ANSWER_MAX);
        text[n] = '\0';
        snprintf(first, sizeof first, "HTTP/1.1 %d ", all[i]);
        assert_memory_equal(text, first, strlen(first));
        const char *end = strstr(text, "\r\n\r\n"), *field = strstr(text, "Content-Length: ");
        assert_non_null(end);
        assert_non_null(field);
        assert_int_equal(sscanf(field, "Content-Length: %d", &len), 1);
        assert_int_equal(strlen(end + 4), len);
        assert_int_equal(sscanf(end + 4, "hawser: %139[^\n]", body), 1);
        assert_int_equal(strlen(body), HTTP_WHY_MAX);
    }
    text[http_connect_answer(text, 200, "")] = '\0';
    assert_string_equal(text, "HTTP/1.1 200 Connection established\r\n\r\n");
    assert_int_equal(http_status_of(-ETIMEDOUT), 504);
    assert_int_equal(http_status_of(-ECONNREFUSED), 502);
    assert_int_equal(http_status_of(-EACCES), 403);
    assert_int_equal(http_status_of(-ENOBUFS), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_ends_where_it_ends),
        cmocka_unit_test(targets),
        cmocka_unit_test(only_connect),
        cmocka_unit_test(credentials),
        cmocka_unit_test(what_is_too_long),
        cmocka_unit_test(anything),
        cmocka_unit_test(answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
