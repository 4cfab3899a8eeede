#include "service/tls_credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <gnutls/x509.h>
#include <hawser/addr.h>

#include "base/compiler.h"
#include "service/complain.h"
#include "service/dial.h"
#include "service/secret.h"

/* TLS 1.3, and of its ways to agree on keys those with new secrets. */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:-KX-ALL"
#define TLS_BY_KEY ":+ECDHE-PSK:+DHE-PSK"
#define TLS_BY_CERTIFICATE ":+ECDHE-ECDSA:+ECDHE-RSA"
#define TLS_IDENTITY "hawser"

enum { TLS_FILES = 4, TLS_CHAIN_MAX = 16, TLS_EXPECTED = 2 };

/* A file, as it was when it was read. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t len;
    struct timespec changed;
    bool regular, gone; /* pipes are read once */
};

struct tls_credentials {
    unsigned refs;
    enum tls_role role;
    struct stamp stamps[TLS_FILES];
    gnutls_priority_t priorities;
    gnutls_psk_client_credentials_t client; /* by key; NULL: not, or it is the other side */
    gnutls_psk_server_credentials_t server;
    uint8_t key[TLS_KEY_BYTES];
    gnutls_certificate_credentials_t certificate; /* NULL: by key alone */
    char server_name[DIAL_NAME_MAX + 1];
    bool is_name; /* and no address */
    gnutls_typed_vdata_st expected[TLS_EXPECTED];
    unsigned expected_count;
};

static int no_memory(char *why, size_t why_size) { return complain(-ENOMEM, why, why_size, "no memory for TLS"); }

/* ---- by key ---- */

/* There is one name, and one key. */
static int find_key(gnutls_session_t session, const char *name, gnutls_datum_t *out)
{
    const struct tls_identity *identity = gnutls_session_get_ptr(session);
    if (strcmp(name, TLS_IDENTITY) != 0)
        return -1;
    out->data = gnutls_malloc(TLS_KEY_BYTES);
    if (!out->data)
        return -1;
    memcpy(out->data, identity->credentials->key, TLS_KEY_BYTES);
    out->size = TLS_KEY_BYTES;
    return 0;
}

static int take_key(struct tls_credentials *c, const char *path, char *why, size_t why_size)
{
    const gnutls_datum_t key = {c->key, TLS_KEY_BYTES};
    int code, error = tls_read_key(path, c->key, why, why_size);
    if (error < 0)
        return error;
    if (c->role == TLS_CLIENT) {
        code = gnutls_psk_allocate_client_credentials(&c->client);
        if (code >= 0)
            code = gnutls_psk_set_client_credentials(c->client, TLS_IDENTITY, &key, GNUTLS_PSK_KEY_RAW);
    } else {
        code = gnutls_psk_allocate_server_credentials(&c->server);
        if (code >= 0)
            gnutls_psk_set_server_credentials_function(c->server, find_key);
    }
    return code < 0 ? no_memory(why, why_size) : 0;
}

/* ---- by certificate ---- */

/* Text, to be forgotten and freed by forget_pem(). */
static int read_pem(const char *path, bool secret, gnutls_datum_t *out, char *why, size_t why_size)
{
    char *text = malloc(TLS_PEM_MAX);
    if (!text)
        return no_memory(why, why_size);
    ssize_t n = secret ? secret_read(path, text, TLS_PEM_MAX, why, why_size)
                       : public_read(path, text, TLS_PEM_MAX, why, why_size);
    if (n < 0) {
        free(text);
        return (int)n;
    }
    *out = (gnutls_datum_t){(unsigned char *)text, (unsigned)n};
    return 0;
}

static void forget_pem(gnutls_datum_t *pem)
{
    if (pem->data)
        explicit_bzero(pem->data, pem->size);
    free(pem->data);
}

static int complain_of_time(const char *path, const char *what, time_t when, char *why, size_t why_size)
{
    struct tm tm;
    char text[32] = "?";
    if (gmtime_r(&when, &tm))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    return complain(-EINVAL, why, why_size, "%s: %s %s", path, what, text);
}

static size_t chain_bytes(const gnutls_x509_crt_t *chain, unsigned count)
{
    size_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t len = 0;
        gnutls_x509_crt_export(chain[i], GNUTLS_X509_FMT_DER, NULL, &len);
        total += len;
    }
    return total;
}

/* Is it one, of this time, and does the other side take as much? Those that lead to who has signed it are the other
 * side's to judge. */
static int check_own(const gnutls_datum_t *pem, const char *path, char *why, size_t why_size)
{
    gnutls_x509_crt_t chain[TLS_CHAIN_MAX];
    unsigned count = TLS_CHAIN_MAX;
    int code = gnutls_x509_crt_list_import(chain, &count, pem, GNUTLS_X509_FMT_PEM,
                                           GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (code <= 0)
        return code == GNUTLS_E_SHORT_MEMORY_BUFFER
                   ? complain(-EINVAL, why, why_size, "%s: more than %d certificates", path, TLS_CHAIN_MAX)
                   : complain(-EINVAL, why, why_size, "%s: no certificate in PEM", path);
    const time_t now = time(NULL), begins = gnutls_x509_crt_get_activation_time(chain[0]),
                 ends = gnutls_x509_crt_get_expiration_time(chain[0]);
    const size_t len = chain_bytes(chain, count);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    if (len > TLS_CHAIN_BYTES)
        return complain(-EINVAL, why, why_size,
                        "%s: certificates of %zu bytes, more than %d: leave out those that the other side knows", path,
                        len, TLS_CHAIN_BYTES);
    if (now > ends)
        return complain_of_time(path, "the certificate has expired, on", ends, why, why_size);
    if (now < begins)
        return complain_of_time(path, "the certificate is not valid before", begins, why, why_size);
    return 0;
}

static int take_own(struct tls_credentials *c, const struct tls_files *files, char *why, size_t why_size)
{
    gnutls_datum_t certificate = {NULL, 0}, private_key = {NULL, 0};
    int code = 0, error = read_pem(files->certificate, false, &certificate, why, why_size);
    if (!error)
        error = check_own(&certificate, files->certificate, why, why_size);
    if (!error)
        error = read_pem(files->private_key, true, &private_key, why, why_size);
    if (!error)
        code = gnutls_certificate_set_x509_key_mem(c->certificate, &certificate, &private_key, GNUTLS_X509_FMT_PEM);
    if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        error = complain(-EINVAL, why, why_size, "%s: not the key of the certificate in %s", files->private_key,
                         files->certificate);
    else if (code < 0)
        error = complain(-EINVAL, why, why_size, "%s: no private key in PEM, without a password: %s",
                         files->private_key, gnutls_strerror(code));
    forget_pem(&certificate);
    forget_pem(&private_key);
    return error;
}

static int take_authorities(struct tls_credentials *c, const char *path, char *why, size_t why_size)
{
    gnutls_datum_t pem = {NULL, 0};
    if (!path)
        return gnutls_certificate_set_x509_system_trust(c->certificate) > 0
                   ? 0
                   : complain(-EINVAL, why, why_size,
                              "this system trusts nobody: say whose certificates count, by ca, or install "
                              "ca-certificates");
    int error = read_pem(path, false, &pem, why, why_size);
    if (error)
        return error;
    int count = gnutls_certificate_set_x509_trust_mem(c->certificate, &pem, GNUTLS_X509_FMT_PEM);
    forget_pem(&pem);
    return count > 0 ? 0 : complain(-EINVAL, why, why_size, "%s: no certificate in PEM", path);
}

static void expect(struct tls_credentials *c, gnutls_vdata_types_t type, const char *text)
{
    c->expected[c->expected_count++] =
        (gnutls_typed_vdata_st){.type = type, .data = (unsigned char *)(uintptr_t)text, .size = 0};
}

/* Who the other side has to be. */
static void expect_other(struct tls_credentials *c, const char *server_name)
{
    struct hawser_addr addr;
    if (c->role == TLS_SERVER) {
        expect(c, GNUTLS_DT_KEY_PURPOSE_OID, GNUTLS_KP_TLS_WWW_CLIENT);
        return;
    }
    snprintf(c->server_name, sizeof c->server_name, "%s", server_name);
    c->is_name = hawser_addr_parse(&addr, server_name, 0) < 0;
    expect(c, GNUTLS_DT_KEY_PURPOSE_OID, GNUTLS_KP_TLS_WWW_SERVER);
    expect(c, GNUTLS_DT_DNS_HOSTNAME, c->server_name);
}

static int take_certificates(struct tls_credentials *c, const struct tls_files *files, char *why, size_t why_size)
{
    if (gnutls_certificate_allocate_credentials(&c->certificate) < 0)
        return no_memory(why, why_size);
    int error = take_own(c, files, why, why_size);
    if (!error)
        error = take_authorities(c, files->ca, why, why_size);
    if (!error)
        expect_other(c, files->server_name);
    return error;
}

/* ---- all of it ---- */

static void look(const struct tls_files *files, struct stamp stamps[TLS_FILES])
{
    const char *const paths[TLS_FILES] = {files->key, files->certificate, files->private_key, files->ca};
    for (unsigned i = 0; i < TLS_FILES; i++) {
        struct stat st;
        stamps[i] = (struct stamp){0};
        if (paths[i] && stat(paths[i], &st) == 0)
            stamps[i] = (struct stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim, S_ISREG(st.st_mode), false};
        else if (paths[i])
            stamps[i].gone = errno == ENOENT;
    }
}

static int take_priorities(struct tls_credentials *c, const struct tls_files *files, char *why, size_t why_size)
{
    char text[128];
    snprintf(text, sizeof text, "%s%s%s", TLS_PRIORITIES, files->key ? TLS_BY_KEY : "",
             files->certificate ? TLS_BY_CERTIFICATE : "");
    return gnutls_priority_init(&c->priorities, text, NULL) < 0 ? no_memory(why, why_size) : 0;
}

int tls_credentials_read(enum tls_role role, const struct tls_files *files, struct tls_credentials **out, char *why,
                         size_t why_size)
{
    struct tls_credentials *c = calloc(1, sizeof *c);
    if (!c)
        return no_memory(why, why_size);
    c->refs = 1;
    c->role = role;
    look(files, c->stamps);
    int error = take_priorities(c, files, why, why_size);
    if (!error && files->key)
        error = take_key(c, files->key, why, why_size);
    if (!error && files->certificate)
        error = take_certificates(c, files, why, why_size);
    if (error)
        tls_credentials_unref(c);
    else
        *out = c;
    return error;
}

struct tls_credentials *tls_credentials_ref(struct tls_credentials *c)
{
    c->refs++;
    return c;
}

void tls_credentials_unref(struct tls_credentials *c)
{
    if (!c || --c->refs > 0)
        return;
    if (c->priorities)
        gnutls_priority_deinit(c->priorities);
    if (c->client)
        gnutls_psk_free_client_credentials(c->client);
    if (c->server)
        gnutls_psk_free_server_credentials(c->server);
    if (c->certificate)
        gnutls_certificate_free_credentials(c->certificate);
    explicit_bzero(c->key, sizeof c->key);
    free(c);
}

bool tls_credentials_outdated(const struct tls_credentials *c, const struct tls_files *files)
{
    struct stamp now[TLS_FILES];
    bool changed = false;
    look(files, now);
    for (unsigned i = 0; i < TLS_FILES; i++) {
        const struct stamp *a = &now[i], *b = &c->stamps[i];
        changed |= a->gone && b->regular;
        changed |= a->inode && (a->device != b->device || a->inode != b->inode || a->len != b->len ||
                                a->changed.tv_sec != b->changed.tv_sec || a->changed.tv_nsec != b->changed.tv_nsec);
    }
    return changed;
}

unsigned tls_credentials_side(const struct tls_credentials *c)
{
    return c->role == TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT;
}

unsigned tls_credentials_judge(gnutls_session_t session)
{
    struct tls_identity *identity = gnutls_session_get_ptr(session);
    struct tls_credentials *c = identity->credentials;
    if (identity->judged)
        return identity->verdict;
    int code = gnutls_certificate_verify_peers(session, c->expected, c->expected_count, &identity->verdict);
    if (code < 0)
        identity->verdict = GNUTLS_CERT_INVALID;
    identity->judged = true;
    return identity->verdict;
}

static int judge(gnutls_session_t session)
{
    return tls_credentials_judge(session) ? GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR : 0;
}

/* GnuTLS looks at who has signed a certificate when it has proof that the other side has its key, and with a key as
 * large as a stranger likes that takes many seconds. Here who he is comes first. */
static int before_proof(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                        const gnutls_datum_t *message)
{
    (void)type;
    (void)when;
    (void)message;
    return incoming ? judge(session) : 0;
}

/* A server asks for the certificate of who has no key, and a handshake without one fails. Whom it trusts it does not
 * say: that may be more than the other side reads, who has one certificate only. */
static int use_certificate(struct tls_credentials *c, gnutls_session_t session)
{
    int code = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->certificate);
    gnutls_certificate_send_x509_rdn_sequence(session, 1); /* 1: no */
    if (c->role == TLS_SERVER)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    else if (code >= 0 && c->is_name)
        code = gnutls_server_name_set(session, GNUTLS_NAME_DNS, c->server_name, strlen(c->server_name));
    gnutls_session_set_verify_function(session, judge); /* the verdict is asked for whether there was a proof or not */
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY, GNUTLS_HOOK_POST, before_proof);
    return code;
}

int tls_credentials_use(struct tls_credentials *c, gnutls_session_t session, struct tls_identity *identity)
{
    int code = gnutls_priority_set(session, c->priorities);
    if (code >= 0 && c->client)
        code = gnutls_credentials_set(session, GNUTLS_CRD_PSK, c->client);
    if (code >= 0 && c->server)
        code = gnutls_credentials_set(session, GNUTLS_CRD_PSK, c->server);
    if (code >= 0 && c->certificate)
        code = use_certificate(c, session);
    *identity = (struct tls_identity){.credentials = tls_credentials_ref(c)};
    gnutls_session_set_ptr(session, identity);
    return code;
}
