/* Clients of TLS that are no Hawser, by GnuTLS as anybody has it (apps/service/tls_end.h). */
#include <dlfcn.h>

#include "service/credentials.h"

static unsigned judged; /* certificates that were looked at */

int gnutls_certificate_verify_peers(gnutls_session_t session, gnutls_typed_vdata_st *data, unsigned elements,
                                    unsigned *status)
{
    int (*real)(gnutls_session_t, gnutls_typed_vdata_st *, unsigned, unsigned *);
    *(void **)&real = dlsym(RTLD_NEXT, "gnutls_certificate_verify_peers");
    judged++;
    return real(session, data, elements, status);
}

static void expect_refused_guest(const struct tls_files *server, gnutls_certificate_credentials_t guest,
                                 const char *says)
{
    struct ends e;
    struct tls tls;
    struct end end;
    struct ear ear;
    int other;
    gnutls_session_t session;
    ends_init(&e);
    tls_init(&tls, read_all(TLS_SERVER, server), hawser_host_env(e.host));
    assert_int_equal(tls_end_new(&tls, tcp_end(&e, &other), NULL, &end), 0);
    listen_by(&ear, end);
    assert_int_equal(gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_FORCE_CLIENT_CERT), 0);
    assert_int_equal(gnutls_set_default_priority(session), 0);
    assert_int_equal(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, guest), 0);
    gnutls_transport_set_int(session, other);
    for (unsigned i = 0; i < 20; i++) {
        (void)gnutls_handshake(session);
        ends_run(&e, 2);
    }
    assert_false(end_connected(end));
    assert_int_equal(end_error(end), -EPROTO);
    if (!strstr(tls.failure, says))
        fail_msg("\"%s\" without \"%s\"", tls.failure, says);
    gnutls_deinit(session);
    end_abort(end);
    close(other);
    tls_destroy(&tls);
    ends_destroy(&e);
}

/* TLS without a certificate, or without anything. */
static void expect_nobody(const struct tls_files *server)
{
    gnutls_certificate_credentials_t none;
    assert_int_equal(gnutls_certificate_allocate_credentials(&none), 0);
    expect_refused_guest(server, none, "");
    gnutls_certificate_free_credentials(none);
}

static void who_shows_nothing_is_refused(void **state)
{
    (void)state;
    struct world w;
    char path[PATH_BYTES];
    world_init(&w, "server.test");
    file_write(path, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 64);
    struct tls_files server = files_of(&w.server, &w.authority);
    expect_nobody(&server);
    server.key = path;
    expect_nobody(&server);
    unlink(path);
    world_free(&w);
}

/* Whose key it is: that takes long if the key is large. It is not looked at for a certificate by nobody known. */
static void strangers_cost_little(void **state)
{
    (void)state;
    struct world w;
    gnutls_certificate_credentials_t guest;
    world_init(&w, "server.test");
    struct tls_files server = files_of(&w.server, &w.other_authority);
    assert_int_equal(gnutls_certificate_allocate_credentials(&guest), 0);
    gnutls_certificate_set_flags(guest, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
    assert_true(gnutls_certificate_set_x509_key(guest, &w.client.crt, 1, w.server.key) >= 0); /* not its key */
    judged = 0;
    expect_refused_guest(&server, guest, "issuer is unknown");
    assert_int_equal(judged, 1);
    server.ca = w.authority.crt_path;
    expect_refused_guest(&server, guest, "signature verification has failed");
    gnutls_certificate_free_credentials(guest);
    world_free(&w);
}

/* A client by GnuTLS, with that certificate, and the server's end, when both have shaken hands. */
struct guest {
    struct ends e;
    struct tls tls;
    struct end end;
    struct ear ear;
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

static void guest_begin(struct guest *g, const struct world *w)
{
    const struct tls_files server = files_of(&w->server, &w->authority);
    gnutls_x509_crt_t crt = w->client.crt;
    ends_init(&g->e);
    tls_init(&g->tls, read_all(TLS_SERVER, &server), hawser_host_env(g->e.host));
    assert_int_equal(tls_end_new(&g->tls, tcp_end(&g->e, &g->fd), NULL, &g->end), 0);
    listen_by(&g->ear, g->end);
    assert_int_equal(gnutls_certificate_allocate_credentials(&g->credentials), 0);
    assert_true(gnutls_certificate_set_x509_key(g->credentials, &crt, 1, w->client.key) >= 0);
    assert_int_equal(gnutls_init(&g->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_FORCE_CLIENT_CERT), 0);
    assert_int_equal(gnutls_set_default_priority(g->session), 0);
    assert_int_equal(gnutls_credentials_set(g->session, GNUTLS_CRD_CERTIFICATE, g->credentials), 0);
    gnutls_transport_set_int(g->session, g->fd);
    int code = GNUTLS_E_AGAIN; /* once more after it is over would be news of keys */
    for (unsigned i = 0; i < 20 && code != 0; i++) {
        code = gnutls_handshake(g->session);
        ends_run(&g->e, 2);
    }
    assert_true(end_connected(g->end));
}

static void guest_end(struct guest *g)
{
    gnutls_deinit(g->session);
    gnutls_certificate_free_credentials(g->credentials);
    end_abort(g->end);
    close(g->fd);
    tls_destroy(&g->tls);
    ends_destroy(&g->e);
}

/* News of keys (RFC 8446 4.6.3), and padding alone (5.4), hide no bytes behind them, of which nobody would hear. */
static void bytes_behind_other_keys(void **state)
{
    (void)state;
    struct world w;
    struct guest g;
    world_init(&w, "server.test");
    judged = 0;
    guest_begin(&g, &w);
    assert_int_equal(judged, 1);
    for (unsigned i = 0; i < 2; i++)
        assert_true(gnutls_record_send2(g.session, "", 0, 100, 0) >= 0);
    assert_true(gnutls_session_key_update(g.session, GNUTLS_KU_PEER) >= 0);
    assert_int_equal(gnutls_record_send(g.session, "question", 8), 8);
    ends_run(&g.e, 5);
    expect_text(g.end, "question");
    guest_end(&g);
    world_free(&w);
}

/* Records that bring nothing, one after the other, so that each is the last one there is: it is over soon. */
static void a_flood_of_nothing_ends(void **state)
{
    (void)state;
    struct world w;
    struct guest g;
    struct hawser_slice slice;
    ssize_t n = -EAGAIN;
    unsigned count = 0;
    world_init(&w, "server.test");
    guest_begin(&g, &w);
    for (; count < 20 && n == -EAGAIN; count++) {
        assert_true(gnutls_record_send2(g.session, "", 0, 1000, 0) >= 0);
        ends_run(&g.e, 0);
        n = end_take(g.end, &slice);
    }
    assert_int_equal(n, -EPROTO);
    assert_int_equal(count, TLS_FRUITLESS_MAX / (1000 + 22) + 2); /* header, kind and tag of each count, too */
    assert_int_equal(g.tls.overlong, 1);
    guest_end(&g);
    world_free(&w);
}

/* Other keys, again and again, each with an answer: a few, and then it is over. */
static void a_flood_of_keys_ends(void **state)
{
    (void)state;
    struct world w;
    struct guest g;
    struct hawser_slice slice;
    ssize_t n = -EAGAIN;
    world_init(&w, "server.test");
    guest_begin(&g, &w);
    for (unsigned i = 0; i < 1000 && n == -EAGAIN; i++) {
        assert_true(gnutls_session_key_update(g.session, GNUTLS_KU_PEER) >= 0);
        ends_run(&g.e, 0);
        n = end_take(g.end, &slice);
    }
    assert_int_equal(n, -EPROTO);
    guest_end(&g);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_shows_nothing_is_refused), cmocka_unit_test(strangers_cost_little),
        cmocka_unit_test(bytes_behind_other_keys),      cmocka_unit_test(a_flood_of_nothing_ends),
        cmocka_unit_test(a_flood_of_keys_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
