/* Connections by inlets of a program's namespace (apps/run/relay.h). */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "run/relay.h"
#include "service/ends.h"

enum { PIECE = 65536, BEYOND_A_WINDOW = 8, MANY = 4 * RELAY_TURNS_PER_S };

struct line {
    sd_event *loop;
    struct relay *relay;
    int listener, inside, outside; /* the test's: who is reached, the program's end, and the other */
};

static int listen_somewhere(struct hawser_addr *out)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(hawser_addr_parse(out, "127.0.0.1", ntohs(addr.sin_port)), 0);
    return fd;
}

static int connect_to(const struct hawser_addr *addr)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(addr->port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Until nothing happens for a moment. Returns how much did. */
static unsigned run(struct line *line)
{
    unsigned count = 0;
    while (count < MANY && sd_event_run(line->loop, 10000) > 0)
        count++;
    return count;
}

static void begin(struct line *line)
{
    struct inlet inlet = {.stream = true};
    struct hawser_addr way_in;
    assert_true(sd_event_new(&line->loop) >= 0);
    line->listener = listen_somewhere(&inlet.addr);
    inlet.fd = listen_somewhere(&way_in);
    assert_int_equal(relay_streams(line->loop, &inlet, &line->relay), 0);
    line->inside = connect_to(&way_in);
    run(line);
    line->outside = accept(line->listener, NULL, NULL);
    assert_true(line->outside >= 0);
}

static void end(struct line *line)
{
    relay_end(line->relay);
    close(line->listener);
    sd_event_unref(line->loop);
}

static void bytes_pass_both_ways(void **state)
{
    (void)state;
    struct line line;
    begin(&line);
    assert_int_equal(write(line.inside, "question", 8), 8);
    shutdown(line.inside, SHUT_WR);
    run(&line);
    expect_bytes(line.outside, "question");
    expect_bytes(line.outside, "");
    assert_int_equal(write(line.outside, "answer", 6), 6);
    close(line.outside);
    run(&line);
    expect_bytes(line.inside, "answer");
    expect_bytes(line.inside, "");
    close(line.inside);
    end(&line);
}

static void write_pieces(struct line *line, int fd, unsigned count)
{
    static const uint8_t bytes[PIECE];
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(write(fd, bytes, PIECE), PIECE);
        run(line);
    }
}

/* As long as the relay takes them, and more, which lie before it then. Returns how many bytes. */
static size_t write_too_much(struct line *line, int fd)
{
    static const uint8_t bytes[PIECE];
    size_t sent = 0;
    do {
        assert_int_equal(write(fd, bytes, PIECE), PIECE);
        sent += PIECE;
    } while (run(line) > 0);
    return sent;
}

/* To the stream's end, where errno is 0, or an error. */
static size_t read_all(struct line *line, int fd)
{
    static uint8_t bytes[PIECE];
    size_t got = 0;
    ssize_t n;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    const time_t end_s = time(NULL) + 20;
    while ((n = read(fd, bytes, PIECE)) > 0 || (n < 0 && errno == EAGAIN && time(NULL) < end_s)) {
        got += n > 0 ? (size_t)n : 0;
        if (n < 0)
            run(line);
    }
    errno = n == 0 ? 0 : errno;
    return got;
}

/* RFC 6093 6 */
static void an_urgent_byte_stays_in_its_place(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct line line;
        begin(&line);
        write_urgently(i ? line.outside : line.inside);
        run(&line);
        expect_bytes(i ? line.inside : line.outside, "ab!cd");
        close(line.inside);
        close(line.outside);
        end(&line);
    }
}

/* The relay's, of which `fd` is the other end. */
static int socket_of_relay(int fd)
{
    struct sockaddr_in addr, peer;
    socklen_t len = sizeof addr;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    for (int i = 0; i < FD_SETSIZE; i++) {
        len = sizeof peer;
        if (getpeername(i, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
            peer.sin_port == addr.sin_port)
            return i;
    }
    fail();
    return -1;
}

/* RFC 9293 3.7.4 lets who writes decide. */
static void small_pieces_do_not_wait(void **state)
{
    (void)state;
    struct line line;
    begin(&line);
    for (unsigned i = 0; i < 2; i++) {
        int at_once = 0;
        socklen_t len = sizeof at_once;
        int fd = socket_of_relay(i ? line.outside : line.inside);
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, &len), 0);
        assert_int_equal(at_once, 1);
    }
    close(line.inside);
    close(line.outside);
    end(&line);
}

/* What a program left behind waits for who does not read it, without turning in circles, and arrives. */
static void who_has_gone_costs_nothing(void **state)
{
    (void)state;
    struct line line;
    begin(&line);
    shutdown(line.outside, SHUT_WR);
    run(&line);
    size_t sent = write_too_much(&line, line.inside);
    close(line.inside);
    assert_true(run(&line) < 10);
    assert_int_equal(read_all(&line, line.outside), sent);
    assert_int_equal(errno, 0);
    close(line.outside);
    end(&line);
}

/* Nor do those who cannot come in. */
static void without_descriptors_it_waits(void **state)
{
    (void)state;
    struct line line;
    struct rlimit files, none;
    struct sockaddr_in way_in;
    socklen_t len = sizeof way_in;
    begin(&line);
    assert_int_equal(getpeername(line.inside, (struct sockaddr *)&way_in, &len), 0);
    int more = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = files;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(more, (struct sockaddr *)&way_in, len), 0);
    assert_in_range(run(&line), 1, RELAY_TURNS_PER_S + 10);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    sleep(1);
    run(&line);
    assert_int_equal(fcntl(line.listener, F_SETFL, O_NONBLOCK), 0);
    int outside = accept(line.listener, NULL, NULL);
    assert_true(outside >= 0);
    close(outside);
    close(more);
    close(line.outside);
    close(line.inside);
    end(&line);
}

/* Who answers and leaves unread what he was told resets, behind his answer. The relay hears of it from either socket.
 */
static void a_reset_comes_behind_the_answer(void **state)
{
    (void)state;
    enum { TIMES = 100, ANSWER = 20000 };
    static const uint8_t answer[ANSWER];
    for (unsigned i = 0; i < TIMES; i++) {
        struct line line;
        begin(&line);
        const int asks = i % 2 ? line.outside : line.inside, answers = i % 2 ? line.inside : line.outside;
        write_pieces(&line, asks, 1);
        if (i % 4 < 2)
            assert_int_equal(write(asks, "more", 4), 4);
        assert_int_equal(write(answers, answer, ANSWER), ANSWER);
        close(answers);
        assert_int_equal(read_all(&line, asks), ANSWER);
        assert_int_equal(errno, ECONNRESET);
        close(asks);
        end(&line);
    }
}

/* Who takes it late has all of it that came, be it that the relay has it still, or the relay's socket. */
static void a_reset_waits_for_who_is_slow(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct line line;
        int unacknowledged;
        size_t sent = BEYOND_A_WINDOW * PIECE;
        begin(&line);
        const int asks = i % 2 ? line.outside : line.inside, answers = i % 2 ? line.inside : line.outside;
        write_too_much(&line, asks);
        if (i < 2)
            sent = write_too_much(&line, answers);
        else
            write_pieces(&line, answers, BEYOND_A_WINDOW);
        assert_int_equal(ioctl(answers, SIOCOUTQ, &unacknowledged), 0);
        close(answers);
        assert_true(run(&line) < 10);
        assert_true(read_all(&line, asks) >= sent - (size_t)unacknowledged);
        assert_int_equal(errno, ECONNRESET);
        close(asks);
        end(&line);
    }
}

/* Nor does it turn in circles when that one has said his last word, and heard the other's. */
static void a_reset_behind_both_ends_costs_nothing(void **state)
{
    (void)state;
    struct line line;
    begin(&line);
    write_pieces(&line, line.outside, BEYOND_A_WINDOW);
    shutdown(line.outside, SHUT_WR);
    write_too_much(&line, line.inside);
    shutdown(line.inside, SHUT_WR);
    run(&line);
    reset(line.outside);
    assert_true(run(&line) < 10);
    assert_true(read_all(&line, line.inside) > 0);
    assert_int_not_equal(errno, EAGAIN);
    close(line.inside);
    end(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways),          cmocka_unit_test(an_urgent_byte_stays_in_its_place),
        cmocka_unit_test(small_pieces_do_not_wait),      cmocka_unit_test(who_has_gone_costs_nothing),
        cmocka_unit_test(without_descriptors_it_waits),  cmocka_unit_test(a_reset_comes_behind_the_answer),
        cmocka_unit_test(a_reset_waits_for_who_is_slow), cmocka_unit_test(a_reset_behind_both_ends_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
