/* Keys and certificates in files (apps/service/tls_credentials.h), made for a test. */
#ifndef HW_TESTS_SERVICE_CREDENTIALS_H
#define HW_TESTS_SERVICE_CREDENTIALS_H

#include <stdio.h>
#include <time.h>

#include <gnutls/x509.h>

#include "service/ends.h"
#include "service/tls_end.h"

enum { PATH_BYTES = 40, DAY_S = 86400 };

static inline void file_write(char path[PATH_BYTES], const void *bytes, size_t len)
{
    strcpy(path, "/tmp/hawser-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

/* By a key in a file. */
static inline struct tls_credentials *credentials_of_key(enum tls_role role, const char *key)
{
    char path[PATH_BYTES], why[300], digits[2 * TLS_KEY_BYTES + 1];
    struct tls_credentials *credentials;
    for (unsigned i = 0; i < TLS_KEY_BYTES; i++)
        snprintf(digits + 2 * (size_t)i, 3, "%02x", (uint8_t)(i < strlen(key) ? key[i] : 0));
    file_write(path, digits, sizeof digits - 1);
    const struct tls_files files = {.key = path};
    assert_int_equal(tls_credentials_read(role, &files, &credentials, why, sizeof why), 0);
    unlink(path);
    return credentials;
}

/* Somebody with a certificate: an authority, who has signed himself, or whom one has signed. */
struct holder {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    char key_path[PATH_BYTES], crt_path[PATH_BYTES];
};

struct holder_plan {
    const struct holder *by;            /* NULL: an authority */
    const char *name;                   /* a host's, or an address in text */
    const char *purpose;                /* GNUTLS_KP_...; NULL: any */
    int begins_days, ends_days, ends_s; /* from now */
};

static inline void export_pem(char path[PATH_BYTES], int code, gnutls_datum_t *pem)
{
    assert_true(code >= 0);
    file_write(path, pem->data, pem->size);
    gnutls_free(pem->data);
}

static inline void name_holder(gnutls_x509_crt_t crt, const char *name)
{
    uint8_t ip[4];
    bool is_ip = inet_pton(AF_INET, name, ip) == 1;
    assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, is_ip ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME,
                                                          is_ip ? (const void *)ip : name,
                                                          is_ip ? sizeof ip : (unsigned)strlen(name), GNUTLS_FSAN_SET),
                     0);
}

static inline void holder_new(struct holder *h, const struct holder_plan *plan)
{
    const time_t now = time(NULL);
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_privkey_init(&h->key), 0);
    assert_int_equal(
        gnutls_x509_privkey_generate(h->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&h->crt), 0);
    gnutls_x509_crt_set_version(h->crt, 3);
    gnutls_x509_crt_set_serial(h->crt, plan->by ? "\2" : "\1", 1);
    gnutls_x509_crt_set_activation_time(h->crt, now + plan->begins_days * DAY_S);
    gnutls_x509_crt_set_expiration_time(h->crt, now + plan->ends_days * DAY_S + plan->ends_s);
    gnutls_x509_crt_set_dn_by_oid(h->crt, GNUTLS_OID_X520_COMMON_NAME, 0, plan->name, (unsigned)strlen(plan->name));
    gnutls_x509_crt_set_key(h->crt, h->key);
    gnutls_x509_crt_set_basic_constraints(h->crt, !plan->by, -1);
    if (plan->by)
        name_holder(h->crt, plan->name);
    if (plan->purpose)
        gnutls_x509_crt_set_key_purpose_oid(h->crt, plan->purpose, 0);
    const struct holder *by = plan->by ? plan->by : h;
    assert_int_equal(gnutls_x509_crt_sign2(h->crt, by->crt, by->key, GNUTLS_DIG_SHA256, 0), 0);
    export_pem(h->crt_path, gnutls_x509_crt_export2(h->crt, GNUTLS_X509_FMT_PEM, &pem), &pem);
    export_pem(h->key_path, gnutls_x509_privkey_export2(h->key, GNUTLS_X509_FMT_PEM, &pem), &pem);
}

static inline void holder_free(struct holder *h)
{
    gnutls_x509_privkey_deinit(h->key);
    gnutls_x509_crt_deinit(h->crt);
    unlink(h->key_path);
    unlink(h->crt_path);
}

/* Who meets whom. */
struct world {
    struct holder authority, other_authority, server, client;
};

static inline void world_init(struct world *w, const char *server_name)
{
    holder_new(&w->authority, &(struct holder_plan){.name = "authority", .begins_days = -1, .ends_days = 2});
    holder_new(&w->other_authority, &(struct holder_plan){.name = "another", .begins_days = -1, .ends_days = 2});
    holder_new(&w->server, &(struct holder_plan){.by = &w->authority,
                                                 .name = server_name,
                                                 .purpose = GNUTLS_KP_TLS_WWW_SERVER,
                                                 .begins_days = -1,
                                                 .ends_days = 1});
    holder_new(&w->client, &(struct holder_plan){.by = &w->authority,
                                                 .name = "client.test",
                                                 .purpose = GNUTLS_KP_TLS_WWW_CLIENT,
                                                 .begins_days = -1,
                                                 .ends_days = 1});
}

static inline void world_free(struct world *w)
{
    holder_free(&w->authority);
    holder_free(&w->other_authority);
    holder_free(&w->server);
    holder_free(&w->client);
}

static inline struct tls_credentials *read_all(enum tls_role role, const struct tls_files *files)
{
    struct tls_credentials *credentials = NULL;
    char why[400] = "";
    if (tls_credentials_read(role, files, &credentials, why, sizeof why) < 0)
        fail_msg("%s", why);
    return credentials;
}

static inline struct tls_files files_of(const struct holder *own, const struct holder *ca)
{
    return (struct tls_files){
        .certificate = own->crt_path, .private_key = own->key_path, .ca = ca->crt_path, .server_name = "server.test"};
}

static inline void expect_text(struct end end, const char *text)
{
    struct hawser_slice slice;
    assert_int_equal(end_take(end, &slice), 1);
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
    hawser_buf_unref(slice.buf);
}

#endif
