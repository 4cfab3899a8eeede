/* A socket of the kernel as an end (apps/service/socket_end.h), and two of them joined. */
#include "service/ends.h"

enum { STREAM = 3000000 };

static uint8_t stream[STREAM];

static void bytes_are_taken_and_given(void **state)
{
    (void)state;
    struct ends e;
    struct ear ear;
    struct hawser_slice slice;
    struct hawser_part part;
    int other;
    ends_init(&e);
    struct end end = tcp_end(&e, &other);
    listen_by(&ear, end);
    ends_run(&e, 5);
    assert_true(end_connected(end));
    assert_int_equal(ear.what, HAWSER_WRITABLE | HAWSER_CONNECTED);
    assert_int_equal(end_take(end, &slice), -EAGAIN);
    assert_int_equal(end_peek(end, &part, 1), -EAGAIN);
    assert_int_equal(write(other, "hello", 5), 5);
    ends_run(&e, 5);
    assert_true(ear.what & HAWSER_READABLE);
    assert_int_equal(end_peek(end, &part, 1), 1);
    assert_int_equal(part.len, 5);
    end_consume(end, 2);
    assert_int_equal(end_take(end, &slice), 1);
    assert_int_equal(slice.len, 3);
    assert_memory_equal(slice.data, "llo", 3);
    hawser_buf_unref(slice.buf);
    assert_int_equal(give_text(end, "answer"), 6);
    expect_bytes(other, "answer");
    end_finish(end);
    expect_bytes(other, "");
    close(other);
    ends_run(&e, 5);
    assert_true(ear.what & HAWSER_PEER_FINISHED);
    assert_int_equal(end_take(end, &slice), 0);
    assert_int_equal(end_peek(end, &part, 1), 0);
    assert_int_equal(end_error(end), 0);
    assert_null(end_conn(end));
    end_close(end);
    ends_destroy(&e);
}

/* What is full says when there is room. */
static void room_is_told(void **state)
{
    (void)state;
    struct ends e;
    struct ear ear;
    int other;
    ends_init(&e);
    struct end end = tcp_end(&e, &other);
    listen_by(&ear, end);
    ends_run(&e, 5);
    ssize_t n;
    do
        n = end_give(end, (struct hawser_slice){.data = stream, .len = STREAM});
    while (n == STREAM);
    if (n > 0)
        n = end_give(end, (struct hawser_slice){.data = stream, .len = STREAM});
    assert_int_equal(n, -EAGAIN);
    ear.what = 0;
    ends_run(&e, 5);
    assert_int_equal(ear.what & HAWSER_WRITABLE, 0);
    while (read(other, stream, sizeof stream) > 0)
        ;
    ends_run(&e, 5);
    assert_true(ear.what & HAWSER_WRITABLE);
    close(other);
    end_abort(end);
    ends_destroy(&e);
}

/* What had arrived before a reset can be read still. */
static void a_reset_comes_behind_the_bytes(void **state)
{
    (void)state;
    struct ends e;
    struct ear ear;
    struct hawser_slice slice;
    int other;
    ends_init(&e);
    struct end end = tcp_end(&e, &other);
    listen_by(&ear, end);
    ends_run(&e, 5);
    assert_int_equal(write(other, "last", 4), 4);
    reset(other);
    ends_run(&e, 5);
    assert_true(ear.what & HAWSER_ERROR);
    assert_int_equal(end_error(end), -ECONNRESET);
    assert_int_equal(end_take(end, &slice), 1);
    hawser_buf_unref(slice.buf);
    assert_int_equal(end_take(end, &slice), -ECONNRESET);
    assert_int_equal(end_take(end, &slice), -ECONNRESET); /* it stays so */
    assert_int_equal(give_text(end, "x"), -ECONNRESET);
    end_abort(end);
    ends_destroy(&e);
}

static void an_abort_is_a_reset(void **state)
{
    (void)state;
    struct ends e;
    char byte;
    int other;
    ends_init(&e);
    struct end end = tcp_end(&e, &other);
    assert_int_equal(give_text(end, "x"), 1);
    end_abort(end);
    while (read(other, &byte, 1) == 1)
        ;
    assert_int_equal(errno, ECONNRESET);
    close(other);
    ends_destroy(&e);
}

/* Which the kernel does not know any more then. */
static void who_it_was_is_known_after_a_reset(void **state)
{
    (void)state;
    struct ends e;
    struct hawser_addr before, after;
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    int fds[2];
    ends_init(&e);
    tcp_pair(fds);
    struct end end = end_of_socket(&e, fds[0]);
    peer_of_socket(fds[0], &before);
    reset(fds[1]);
    ends_run(&e, 5);
    assert_int_equal(getpeername(fds[0], (struct sockaddr *)&addr, &len), -1);
    end_peer(end, &after);
    assert_true(hawser_addr_equal(&before, &after));
    end_abort(end);
    ends_destroy(&e);
}

static void count_one(void *of) { ++*(unsigned *)of; }

static void its_end_is_told(void **state)
{
    (void)state;
    struct ends e;
    unsigned closed = 0;
    int other[2];
    ends_init(&e);
    for (unsigned i = 0; i < 2; i++) {
        struct end end = tcp_end(&e, &other[i]);
        socket_end_on_close(end, count_one, &closed);
        (i ? end_abort : end_close)(end);
        close(other[i]);
    }
    assert_int_equal(closed, 2);
    ends_destroy(&e);
}

/* Joined, whichever way bytes pass: by reference, or, where too much is held, by a copy. */
static void joined(uint64_t held_max)
{
    struct ends e;
    int left, right;
    size_t sent = 0, got = 0;
    uint8_t *in = malloc(STREAM);
    ends_init(&e);
    e.joints.held_max = held_max;
    struct end one = tcp_end(&e, &left), two = tcp_end(&e, &right);
    assert_int_equal(joint_make(&e.joints, one, two, &(struct joint_origin){.way = JOINT_BY_LINK}, 0), 0);
    for (unsigned i = 0; i < 20000 && got < STREAM; i++) {
        ssize_t n = write(left, stream + sent, STREAM - sent);
        sent += n > 0 ? (size_t)n : 0;
        ends_run(&e, 0);
        n = read(right, in + got, STREAM - got);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, STREAM);
    assert_memory_equal(in, stream, STREAM);
    shutdown(left, SHUT_WR);
    ends_run(&e, 10);
    expect_bytes(right, "");
    assert_int_equal(write(right, "back", 4), 4); /* half-closed, it goes on the other way */
    ends_run(&e, 10);
    expect_bytes(left, "back");
    assert_int_equal(e.joints.count, 1);
    close(right);
    ends_run(&e, 10);
    expect_bytes(left, "");
    assert_int_equal(e.joints.count, 0);
    assert_int_equal(e.joints.broken, 0);
    assert_int_equal(e.joints.copied_bytes > STREAM / 2, held_max == 0);
    assert_int_equal(e.joints.held_bytes, 0);
    close(left);
    free(in);
    ends_destroy(&e);
}

static void two_joined(void **state)
{
    (void)state;
    joined(JOINTS_HELD_MAX);
    joined(0);
}

/* RFC 6093 6: by whichever way bytes pass. */
static void an_urgent_byte_stays_in_its_place(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct ends e;
        int sides[2];
        ends_init(&e);
        e.joints.held_max = i < 2 ? JOINTS_HELD_MAX : 0;
        struct end one = tcp_end(&e, &sides[0]), two = tcp_end(&e, &sides[1]);
        assert_int_equal(joint_make(&e.joints, one, two, &(struct joint_origin){.way = JOINT_BY_LINK}, 0), 0);
        write_urgently(sides[i % 2]);
        ends_run(&e, 10);
        expect_bytes(sides[!(i % 2)], "ab!cd");
        close(sides[0]);
        close(sides[1]);
        ends_destroy(&e);
    }
}

static void a_reset_passes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct ends e;
        int sides[2];
        char byte;
        ends_init(&e);
        struct end one = tcp_end(&e, &sides[0]), two = tcp_end(&e, &sides[1]);
        assert_int_equal(joint_make(&e.joints, one, two, &(struct joint_origin){.way = JOINT_BY_LINK}, 0), 0);
        ends_run(&e, 5);
        reset(sides[i]);
        ends_run(&e, 10);
        assert_int_equal(e.joints.count, 0);
        assert_int_equal(e.joints.broken, 1);
        assert_int_equal(read(sides[!i], &byte, 1), -1);
        assert_int_equal(errno, ECONNRESET);
        close(sides[!i]);
        ends_destroy(&e);
    }
}

int main(void)
{
    for (size_t i = 0; i < STREAM; i++)
        stream[i] = (uint8_t)(i * 2654435761u >> 24);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_taken_and_given),
        cmocka_unit_test(room_is_told),
        cmocka_unit_test(a_reset_comes_behind_the_bytes),
        cmocka_unit_test(an_abort_is_a_reset),
        cmocka_unit_test(who_it_was_is_known_after_a_reset),
        cmocka_unit_test(its_end_is_told),
        cmocka_unit_test(two_joined),
        cmocka_unit_test(an_urgent_byte_stays_in_its_place),
        cmocka_unit_test(a_reset_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
