/* What TLS holds, and for whom (apps/service/tls_end.h). */
#include <malloc.h>

#include "service/credentials.h"

extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    const struct mallinfo2 info = mallinfo2();
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
                                                   : info.uordblks + info.hblkhd;
}

/* Sessions of both sides that stand, with certificates, as they take most. */
static void what_a_session_takes(void **state)
{
    (void)state;
    enum { PAIRS = 50 };
    struct world w;
    struct ends e;
    struct tls sides[2];
    struct end below[PAIRS][2], ends[PAIRS][2];
    world_init(&w, "server.test");
    ends_init(&e);
    const struct tls_files client = files_of(&w.client, &w.authority), server = files_of(&w.server, &w.authority);
    assert_int_equal(tls_init(&sides[0], read_all(TLS_CLIENT, &client), hawser_host_env(e.host)), 0);
    assert_int_equal(tls_init(&sides[1], read_all(TLS_SERVER, &server), hawser_host_env(e.host)), 0);
    for (unsigned i = 0; i < PAIRS; i++) {
        int fds[2];
        tcp_pair(fds);
        for (unsigned k = 0; k < 2; k++)
            below[i][k] = end_of_socket(&e, fds[k]);
    }
    const size_t before = allocated();
    for (unsigned i = 0; i < PAIRS; i++) {
        for (unsigned k = 2; k-- > 0;)
            assert_int_equal(tls_end_new(&sides[k], below[i][k], NULL, &ends[i][k]), 0);
        ends_run(&e, 5);
        assert_true(end_connected(ends[i][0]) && end_connected(ends[i][1]));
        assert_int_equal(give_text(ends[i][0], "question"), 8);
        ends_run(&e, 2);
        expect_text(ends[i][1], "question");
    }
    const size_t each = (allocated() - before) / (2 * (size_t)PAIRS);
    print_message("%zu bytes\n", each);
    assert_true(each <= TLS_SESSION_BYTES);
    assert_true(each > TLS_SESSION_BYTES * 3 / 4); /* or what is charged is too much by far */
    for (unsigned k = 0; k < 2; k++) {
        assert_true(sides[k].holders.bytes >= PAIRS * each);
        for (unsigned i = 0; i < PAIRS; i++)
            end_abort(ends[i][k]);
        assert_int_equal(sides[k].holders.bytes, 0);
        tls_destroy(&sides[k]);
    }
    ends_destroy(&e);
    world_free(&w);
}

/* Some that have said nothing yet, from 127.0.0.2 and the last one from 127.0.0.3. */
enum { STRANGERS = 4, HALF = 600 };

struct fixture {
    struct ends e;
    struct tls tls;
    struct end ends[STRANGERS];
    struct ear ears[STRANGERS];
    int others[STRANGERS];
};

static void set_up(struct fixture *f)
{
    ends_init(&f->e);
    assert_int_equal(tls_init(&f->tls, credentials_of_key(TLS_SERVER, "the key"), hawser_host_env(f->e.host)), 0);
    for (unsigned i = 0; i < STRANGERS; i++) {
        struct end below = tcp_end_from(&f->e, i + 1 < STRANGERS ? 2 : 3, &f->others[i]);
        assert_int_equal(tls_end_new(&f->tls, below, NULL, &f->ends[i]), 0);
        listen_by(&f->ears[i], f->ends[i]);
    }
}

static void tear_down(struct fixture *f)
{
    for (unsigned i = 0; i < STRANGERS; i++) {
        end_abort(f->ends[i]);
        close(f->others[i]);
    }
    assert_int_equal(f->tls.holders.bytes, 0);
    tls_destroy(&f->tls);
    ends_destroy(&f->e);
}

/* So many bytes of a record that would have more. */
static void say_half(struct fixture *f, unsigned who, size_t len)
{
    static const uint8_t bytes[TLS_RECORD_MAX] = {0x16, 3, 1, 0x40, 0, 1};
    assert_int_equal(write(f->others[who], bytes, len), len);
    ends_run(&f->e, 5);
}

static void half_a_hello(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_int_equal(f.tls.holders.bytes, STRANGERS * TLS_SESSION_BYTES);
    say_half(&f, 0, HALF);
    assert_int_equal(f.tls.holders.bytes, STRANGERS * TLS_SESSION_BYTES + HALF);
    tear_down(&f);
}

/* Of the address that has most the one that does: others do not hear of it. */
static void who_has_most_is_reset(void **state)
{
    (void)state;
    struct fixture f;
    struct hawser_slice slice;
    set_up(&f);
    f.tls.holders.max = STRANGERS * TLS_SESSION_BYTES + 2 * HALF;
    say_half(&f, 0, HALF + 1);
    say_half(&f, STRANGERS - 1, HALF - 1);
    for (unsigned i = 0; i < STRANGERS; i++)
        assert_int_equal(f.ears[i].what, 0);
    say_half(&f, 1, 10);
    assert_true(f.ears[0].what & HAWSER_ERROR);
    assert_int_equal(end_error(f.ends[0]), -ECONNABORTED);
    assert_int_equal(end_take(f.ends[0], &slice), -ECONNABORTED);
    assert_int_equal(f.tls.reset, 1);
    for (unsigned i = 1; i < STRANGERS; i++)
        assert_int_equal(f.ears[i].what, 0);
    assert_int_equal(f.tls.holders.bytes, (STRANGERS - 1) * TLS_SESSION_BYTES + HALF - 1 + 10);
    f.tls.holders.max = 0; /* the one that says something itself */
    say_half(&f, 1, 10);
    assert_int_equal(end_error(f.ends[1]), -ECONNABORTED);
    assert_true(f.ears[1].what & HAWSER_ERROR);
    assert_int_equal(f.tls.reset, 2);
    int other;
    struct end below = tcp_end_from(&f.e, 4, &other), none;
    assert_int_equal(tls_end_new(&f.tls, below, NULL, &none), -ENOBUFS);
    assert_int_equal(f.tls.holders.refused, 1);
    end_abort(below);
    close(other);
    tear_down(&f);
}

/* One says more at once than another one has: the first to go is of the address with three, the next is itself. */
static void as_many_go_as_it_takes(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.tls.holders.max = STRANGERS * TLS_SESSION_BYTES;
    say_half(&f, STRANGERS - 1, TLS_SESSION_BYTES + HALF);
    assert_int_equal(f.tls.reset, 2);
    assert_int_equal(end_error(f.ends[STRANGERS - 1]), -ECONNABORTED);
    assert_true(f.ears[STRANGERS - 1].what & HAWSER_ERROR);
    assert_int_equal(f.tls.holders.bytes, (STRANGERS - 2) * TLS_SESSION_BYTES);
    tear_down(&f);
}

/* GnuTLS would keep 16 MiB of a message. */
static void a_handshake_without_end(void **state)
{
    (void)state;
    struct fixture f;
    static uint8_t record[TLS_HEADER_BYTES + TLS_RECORD_BYTES] = {0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff};
    unsigned count = 0;
    set_up(&f);
    while (!f.ears[0].what && count < 20) {
        assert_int_equal(write(f.others[0], record, sizeof record), sizeof record);
        ends_run(&f.e, 5);
        memset(record + TLS_HEADER_BYTES, 0, 4);
        count++;
        assert_true(f.tls.holders.bytes <= STRANGERS * TLS_SESSION_BYTES + 2 * (TLS_FRUITLESS_MAX + TLS_RECORD_MAX));
    }
    assert_int_equal(count, 2);
    assert_int_equal(end_error(f.ends[0]), -EPROTO);
    assert_int_equal(f.tls.overlong, 1);
    assert_non_null(strstr(f.tls.failure, "more than 16384 bytes"));
    tear_down(&f);
}

/* One that the other side would not take any more. */
static void a_chain_that_is_too_long(void **state)
{
    (void)state;
    struct world w;
    char name[200], path[PATH_BYTES], why[400] = "";
    gnutls_datum_t pem;
    struct tls_credentials *credentials;
    world_init(&w, "server.test");
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (unsigned i = 0; i < TLS_CHAIN_BYTES / sizeof name + 1; i++)
        assert_int_equal(gnutls_x509_crt_set_subject_alt_name(w.server.crt, GNUTLS_SAN_DNSNAME, name,
                                                              (unsigned)strlen(name), GNUTLS_FSAN_APPEND),
                         0);
    assert_int_equal(gnutls_x509_crt_sign2(w.server.crt, w.authority.crt, w.authority.key, GNUTLS_DIG_SHA256, 0), 0);
    export_pem(path, gnutls_x509_crt_export2(w.server.crt, GNUTLS_X509_FMT_PEM, &pem), &pem);
    struct tls_files files = files_of(&w.server, &w.authority);
    files.certificate = path;
    assert_int_equal(tls_credentials_read(TLS_SERVER, &files, &credentials, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "more than 12288"));
    unlink(path);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_session_takes),     cmocka_unit_test(half_a_hello),
        cmocka_unit_test(who_has_most_is_reset),    cmocka_unit_test(a_handshake_without_end),
        cmocka_unit_test(a_chain_that_is_too_long), cmocka_unit_test(as_many_go_as_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
