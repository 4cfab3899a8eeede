/* Records of TLS, each when it is whole (apps/service/tls_records.h). */
#include "service/ends.h"
#include "service/tls_records.h"

enum { BODY = 1000, RECORD = TLS_HEADER_BYTES + BODY };

struct fixture {
    struct ends e;
    struct tls_intake intake;
    struct tls_records r;
    struct end below;
    int other;
    uint8_t record[RECORD], got[TLS_RECORD_MAX];
};

static void set_up(struct fixture *f, uint64_t taken_max)
{
    memset(f, 0, sizeof *f);
    ends_init(&f->e);
    f->intake.taken_max = taken_max;
    f->below = tcp_end(&f->e, &f->other);
    tls_records_init(&f->r, f->below, &f->intake);
    for (unsigned i = 0; i < RECORD; i++)
        f->record[i] = (uint8_t)i;
    memcpy(f->record, "\x17\3\3\x03\xe8", TLS_HEADER_BYTES);
}

static void tear_down(struct fixture *f)
{
    tls_records_destroy(&f->r);
    assert_int_equal(f->intake.taken_bytes, 0);
    assert_int_equal(tls_records_held(&f->r), 0);
    end_abort(f->below);
    close(f->other);
    ends_destroy(&f->e);
}

static void say(struct fixture *f, const void *bytes, size_t len)
{
    assert_int_equal(write(f->other, bytes, len), len);
}

static void expect_record(struct fixture *f)
{
    assert_int_equal(tls_records_next(&f->r), 1);
    assert_int_equal(tls_records_read(&f->r, f->got, TLS_HEADER_BYTES), TLS_HEADER_BYTES);
    assert_int_equal(tls_records_next(&f->r), 1);
    assert_int_equal(tls_records_read(&f->r, f->got + TLS_HEADER_BYTES, TLS_RECORD_MAX), BODY);
    assert_memory_equal(f->got, f->record, RECORD);
}

/* Whichever way bytes are had, and wherever they are cut: nothing before all is there, and nothing of the next one. */
static void cut_anywhere(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        struct fixture f;
        set_up(&f, kind ? 0 : TLS_TAKEN_MAX);
        for (size_t at = 1; at < RECORD; at += at < 8 ? 1 : 97) {
            say(&f, f.record, at);
            assert_int_equal(tls_records_next(&f.r), -EAGAIN);
            assert_int_equal(tls_records_held(&f.r), at); /* and no more */
            say(&f, f.record + at, RECORD - at);
            say(&f, f.record, RECORD);
            expect_record(&f);
            expect_record(&f);
            assert_int_equal(tls_records_next(&f.r), -EAGAIN);
            assert_int_equal(tls_records_held(&f.r), 0);
        }
        assert_int_equal(f.intake.untaken_bytes > 0, kind);
        tear_down(&f);
    }
}

static void one_byte_at_a_time(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, TLS_TAKEN_MAX);
    for (size_t at = 0; at < RECORD; at++) {
        assert_int_equal(tls_records_next(&f.r), -EAGAIN);
        assert_int_equal(tls_records_read(&f.r, f.got, 1), 0);
        say(&f, f.record + at, 1);
    }
    expect_record(&f);
    say(&f, f.record, RECORD - 1);
    shutdown(f.other, SHUT_WR);
    assert_int_equal(tls_records_next(&f.r), 0);
    tear_down(&f);
}

/* What is no header does not wait for as much as it would say; nor does one of too much. */
static void nonsense_is_passed_on(void **state)
{
    (void)state;
    static const char *const all[] = {"GET / HTTP", "\x17\2\3\3\xe8", "\x17\3\3\x41\1", "\x13\3\3\3\xe8",
                                      "\x19\3\3\3\xe8"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct fixture f;
        set_up(&f, TLS_TAKEN_MAX);
        say(&f, all[i], TLS_HEADER_BYTES);
        assert_int_equal(tls_records_next(&f.r), 1);
        assert_int_equal(tls_records_read(&f.r, f.got, 100), TLS_HEADER_BYTES);
        assert_memory_equal(f.got, all[i], TLS_HEADER_BYTES);
        tear_down(&f);
    }
}

/* An error of the end below is told, but not before what is whole. */
static void a_reset(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, TLS_TAKEN_MAX);
    say(&f, f.record, RECORD);
    assert_int_equal(tls_records_next(&f.r), 1);
    reset(f.other);
    expect_record(&f);
    assert_int_equal(tls_records_next(&f.r), -ECONNRESET);
    f.other = open("/dev/null", O_RDONLY);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(nonsense_is_passed_on),
        cmocka_unit_test(a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
