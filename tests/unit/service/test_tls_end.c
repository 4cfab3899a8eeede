/* TLS above ends (apps/service/tls_end.h): both sides in one loop, a connection of the kernel between them. */
#include <stdio.h>
#include <sys/stat.h>

#include "service/ends.h"
#include "service/tls_end.h"

enum { STREAM = 1000000 };

static uint8_t stream[STREAM];

struct line {
    struct ends e;
    struct tls client_side, server_side;
    struct end client, server;
    struct ear client_ear, server_ear;
};

static const uint8_t key[TLS_KEY_BYTES] = "thirty-two bytes that both have", wrong[TLS_KEY_BYTES] = "another";

static void begin(struct line *line, const uint8_t *client_key)
{
    int fds[2];
    struct end below[2];
    ends_init(&line->e);
    const struct hawser_env *env = hawser_host_env(line->e.host);
    assert_int_equal(tls_init(&line->client_side, TLS_CLIENT, client_key, env), 0);
    assert_int_equal(tls_init(&line->server_side, TLS_SERVER, key, env), 0);
    tcp_pair(fds);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(socket_end_new(&line->e.sockets, fds[i], &below[i]), 0);
    assert_int_equal(tls_end_new(&line->server_side, below[0], &line->server), 0);
    assert_int_equal(tls_end_new(&line->client_side, below[1], &line->client), 0);
    listen_by(&line->server_ear, line->server);
    listen_by(&line->client_ear, line->client);
    ends_run(&line->e, 50);
}

static void end_line(struct line *line)
{
    tls_destroy(&line->client_side);
    tls_destroy(&line->server_side);
    ends_destroy(&line->e);
}

static void expect_text(struct end end, const char *text)
{
    struct hawser_slice slice;
    assert_int_equal(end_take(end, &slice), 1);
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
    hawser_buf_unref(slice.buf);
}

static void both_have_the_key(void **state)
{
    (void)state;
    struct line line;
    struct hawser_part part;
    struct hawser_slice slice;
    begin(&line, key);
    assert_true(end_connected(line.client) && end_connected(line.server));
    assert_true(line.client_ear.what & HAWSER_CONNECTED);
    assert_true(line.server_ear.what & HAWSER_CONNECTED);
    assert_int_equal(give_text(line.client, "question"), 8);
    ends_run(&line.e, 10);
    assert_true(line.server_ear.what & HAWSER_READABLE);
    assert_int_equal(end_peek(line.server, &part, 1), 1);
    assert_int_equal(part.len, 8);
    end_consume(line.server, 5);
    expect_text(line.server, "ion");
    assert_int_equal(end_take(line.server, &slice), -EAGAIN);
    end_finish(line.client);
    ends_run(&line.e, 10);
    assert_int_equal(end_take(line.server, &slice), 0);
    assert_int_equal(give_text(line.server, "answer"), 6); /* half-closed */
    end_close(line.server);
    ends_run(&line.e, 10);
    expect_text(line.client, "answer");
    assert_int_equal(end_take(line.client, &slice), 0);
    assert_int_equal(end_error(line.client), 0);
    end_close(line.client);
    end_line(&line);
}

static void another_key_is_refused(void **state)
{
    (void)state;
    struct line line;
    struct hawser_slice slice;
    begin(&line, wrong);
    assert_false(end_connected(line.client) || end_connected(line.server));
    assert_true(line.client_ear.what & HAWSER_ERROR);
    assert_true(line.server_ear.what & HAWSER_ERROR);
    assert_true(end_error(line.client) < 0);
    assert_int_equal(end_error(line.server), -EPROTO);
    assert_int_equal(end_take(line.server, &slice), -EPROTO);
    assert_int_equal(give_text(line.server, "x"), -EPROTO);
    end_close(line.server);
    end_abort(line.client);
    end_line(&line);
}

/* Whatever comes instead of TLS is an error, soon, and nothing else. */
static void nonsense_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } all[] = {{"GET / HTTP/1.1\r\n\r\n", 18}, {"\5\1\0", 3},         {"\x16\3\1\xff\xff", 5},
               {"\x16\3\1\0\5\1\0\0\1\0", 10}, {"\x17\3\3\0\1\0", 6}, {"", 0}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct ends e;
        struct tls tls;
        struct ear ear;
        struct end end;
        int other;
        ends_init(&e);
        assert_int_equal(tls_init(&tls, TLS_SERVER, key, hawser_host_env(e.host)), 0);
        assert_int_equal(tls_end_new(&tls, tcp_end(&e, &other), &end), 0);
        listen_by(&ear, end);
        ends_run(&e, 2);
        assert_int_equal(write(other, all[i].bytes, all[i].len), all[i].len);
        shutdown(other, SHUT_WR);
        ends_run(&e, 20);
        assert_true(ear.what & HAWSER_ERROR);
        assert_true(end_error(end) == -EPROTO || end_error(end) == -ECONNRESET);
        end_abort(end);
        close(other);
        tls_destroy(&tls);
        ends_destroy(&e);
    }
}

/* A stream that is cut off is no stream that ended. */
static void an_end_without_good_bye_is_a_reset(void **state)
{
    (void)state;
    struct ends e;
    struct tls client_side, server_side;
    struct end client, server, below;
    struct hawser_slice slice;
    int fds[2];
    ends_init(&e);
    assert_int_equal(tls_init(&client_side, TLS_CLIENT, key, hawser_host_env(e.host)), 0);
    assert_int_equal(tls_init(&server_side, TLS_SERVER, key, hawser_host_env(e.host)), 0);
    tcp_pair(fds);
    assert_int_equal(socket_end_new(&e.sockets, fds[0], &below), 0);
    assert_int_equal(tls_end_new(&server_side, below, &server), 0);
    assert_int_equal(socket_end_new(&e.sockets, fds[1], &below), 0);
    assert_int_equal(tls_end_new(&client_side, below, &client), 0);
    ends_run(&e, 30);
    assert_true(end_connected(server));
    shutdown(fds[1], SHUT_WR);
    ends_run(&e, 10);
    assert_int_equal(end_take(server, &slice), -ECONNRESET);
    assert_int_equal(end_error(server), -ECONNRESET);
    end_abort(server);
    end_abort(client);
    tls_destroy(&client_side);
    tls_destroy(&server_side);
    ends_destroy(&e);
}

/* Much more than anything on the way holds, while the other side takes its time; and what was closed is delivered. */
static void back_pressure(void **state)
{
    (void)state;
    struct line line;
    struct hawser_slice slice;
    size_t sent = 0, got = 0;
    unsigned rounds = 0;
    ssize_t n = 0;
    begin(&line, key);
    while (sent < 20 * (size_t)STREAM) { /* until nothing fits any more */
        n = end_give(line.client, (struct hawser_slice){.data = stream, .len = STREAM});
        if (n == -EAGAIN && rounds++ > 10)
            break;
        sent += n > 0 ? (size_t)n : 0;
        ends_run(&line.e, 1);
    }
    assert_int_equal(n, -EAGAIN);
    end_close(line.client); /* it lives until all has left */
    for (rounds = 0; rounds < 100000 && n != 0; rounds++) {
        n = end_take(line.server, &slice);
        if (n == -EAGAIN) {
            ends_run(&line.e, 1);
            continue;
        }
        assert_true(n >= 0);
        got += n ? slice.len : 0;
        if (n)
            hawser_buf_unref(slice.buf);
    }
    assert_int_equal(got, sent);
    assert_true(line.client_side.closing.next == &line.client_side.closing);
    end_close(line.server);
    end_line(&line);
}

/* What is closing is gone with its side. */
static void closing_ends_with_its_side(void **state)
{
    (void)state;
    struct line line;
    begin(&line, key);
    while (end_give(line.client, (struct hawser_slice){.data = stream, .len = STREAM}) > 0)
        ;
    end_close(line.client);
    ends_run(&line.e, 5);
    end_abort(line.server);
    end_line(&line);
}

static void joined_to_sockets(void **state)
{
    (void)state;
    struct line line;
    int left, right;
    size_t sent = 0, got = 0;
    uint8_t *in = malloc(STREAM);
    begin(&line, key);
    struct end near = tcp_end(&line.e, &left), far = tcp_end(&line.e, &right);
    assert_int_equal(joint_make(&line.e.joints, near, line.client, 0), 0);
    assert_int_equal(joint_make(&line.e.joints, line.server, far, 0), 0);
    for (unsigned i = 0; i < 100000 && got < STREAM; i++) {
        ssize_t n = write(left, stream + sent, STREAM - sent);
        sent += n > 0 ? (size_t)n : 0;
        ends_run(&line.e, 0);
        n = read(right, in + got, STREAM - got);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, STREAM);
    assert_memory_equal(in, stream, STREAM);
    shutdown(right, SHUT_WR);
    ends_run(&line.e, 20);
    expect_bytes(left, "");
    assert_int_equal(line.e.joints.count, 2);
    close(left);
    ends_run(&line.e, 20);
    expect_bytes(right, "");
    assert_int_equal(line.e.joints.count, 0);
    assert_int_equal(line.e.joints.broken, 0);
    close(right);
    free(in);
    end_line(&line);
}

static int read_file(const char *text, unsigned mode, uint8_t *out)
{
    char path[] = "/tmp/hawser-key-XXXXXX", why[300] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    int error = tls_read_key(path, out, why, sizeof why);
    assert_int_equal(why[0] != '\0', error < 0);
    if (error)
        assert_non_null(strstr(why, path));
    unlink(path);
    return error;
}

#define DIGITS "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100"

static void keys_in_files(void **state)
{
    (void)state;
    uint8_t out[TLS_KEY_BYTES];
    char why[300];
    assert_int_equal(read_file(DIGITS "\n", 0600, out), 0);
    assert_memory_equal(out, "\x00\x11\x22\x33", 4);
    assert_memory_equal(out + 28, "\x33\x22\x11\x00", 4);
    assert_int_equal(read_file(DIGITS, 0640, out), 0);
    assert_int_equal(read_file(DIGITS, 0644, out), -EACCES);
    assert_int_equal(read_file(DIGITS "0", 0600, out), -EINVAL);
    assert_int_equal(read_file(&DIGITS[1], 0600, out), -EINVAL);
    assert_int_equal(read_file("x" DIGITS, 0600, out), -EINVAL);
    assert_int_equal(read_file("", 0600, out), -EINVAL);
    assert_int_equal(tls_read_key("/nowhere", out, why, sizeof why), -ENOENT);
    assert_int_equal(tls_read_key("/tmp", out, why, sizeof why), -EISDIR);
}

int main(void)
{
    for (size_t i = 0; i < STREAM; i++)
        stream[i] = (uint8_t)(i * 2654435761u >> 24);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_have_the_key),    cmocka_unit_test(another_key_is_refused),
        cmocka_unit_test(nonsense_is_an_error), cmocka_unit_test(an_end_without_good_bye_is_a_reset),
        cmocka_unit_test(back_pressure),        cmocka_unit_test(closing_ends_with_its_side),
        cmocka_unit_test(joined_to_sockets),    cmocka_unit_test(keys_in_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
