/* Clients of TLS that are no Hawser, by GnuTLS as anybody has it (apps/service/tls_end.h). */
#include "service/credentials.h"

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
    assert_int_equal(tls_end_new(&tls, tcp_end(&e, &other), &end), 0);
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
    expect_refused_guest(&server, guest, "issuer is unknown");
    server.ca = w.authority.crt_path;
    expect_refused_guest(&server, guest, "signature verification has failed");
    gnutls_certificate_free_credentials(guest);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_shows_nothing_is_refused),
        cmocka_unit_test(strangers_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
