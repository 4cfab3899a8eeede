/* Options of `hawser up` that are about proxies (service/proxies.h). */
#ifndef HW_APPS_SERVICE_PROXY_OPTIONS_H
#define HW_APPS_SERVICE_PROXY_OPTIONS_H

#include "service/config.h"
#include "service/proxies.h"

struct proxy_options {
    struct {
        const char *local;
        unsigned spoken; /* SESSION_SOCKS, SESSION_HTTP */
    } ports[PROXIES_MAX];
    unsigned count;
    const char *login_path; /* or NULL */
    struct upstream_words upstream;
};

enum {
    OPTION_SOCKS = 512,
    OPTION_HTTP_PROXY,
    OPTION_PROXY_LOGIN,
    OPTION_UPSTREAM,
    OPTION_SERVE_UPSTREAM,
    OPTION_KEY,
    OPTION_CERTIFICATE,
    OPTION_PRIVATE_KEY,
    OPTION_CA,
    OPTION_SERVER_NAME,
    OPTION_CLIENT_CA,
};

/* clang-format off */
#define PROXY_LONG_OPTIONS                                                                                             \
    {"socks", required_argument, NULL, OPTION_SOCKS}, {"http-proxy", required_argument, NULL, OPTION_HTTP_PROXY},     \
    {"proxy-login", required_argument, NULL, OPTION_PROXY_LOGIN}, {"upstream", required_argument, NULL, OPTION_UPSTREAM}, \
    {"serve-upstream", required_argument, NULL, OPTION_SERVE_UPSTREAM}, {"key", required_argument, NULL, OPTION_KEY}, \
    {"certificate", required_argument, NULL, OPTION_CERTIFICATE}, {"private-key", required_argument, NULL, OPTION_PRIVATE_KEY}, \
    {"ca", required_argument, NULL, OPTION_CA}, {"server-name", required_argument, NULL, OPTION_SERVER_NAME}, \
    {"client-ca", required_argument, NULL, OPTION_CLIENT_CA}

#define PROXY_USAGE \
    "  --socks ADDRESS:PORT, --http-proxy ADDRESS:PORT\n" \
    "                 a local port for programs that speak SOCKS 5, or HTTP CONNECT; both may be the same one\n" \
    "  --proxy-login FILE\n" \
    "                 clients of these ports have to say USER:PASSWORD, which is in the file\n" \
    "  --upstream HOST:PORT\n" \
    "                 go to this Hawser first, and on from there: so all uplinks lead to every destination. TLS 1.3,\n" \
    "                 with --key, or with certificates\n" \
    "  --serve-upstream ADDRESS:PORT\n" \
    "                 be upstream for those who have --key, or a certificate by --client-ca: at an address of an\n" \
    "                 uplink, or of this machine. Alone it looks for no uplinks\n" \
    "  --key FILE     64 hexadecimal digits, the same at both sides: openssl rand -hex 32\n" \
    "  --certificate FILE, --private-key FILE\n" \
    "                 one's own, in PEM, in place of --key; who serves may have both\n" \
    "  --ca FILE, --server-name NAME\n" \
    "                 the server's certificate is signed by one of these (default: of those whom this system trusts) and\n" \
    "                 for that name (default: the HOST of --upstream)\n" \
    "  --client-ca FILE\n" \
    "                 clients' certificates are signed by one of these: nobody else may come\n"
/* clang-format on */

/* Takes one of them. Returns -1, or an exit status, having said why. */
int proxy_option_read(struct proxy_options *options, int option, const char *value);

/* What the command line did not say is as the configuration says, which must outlive the options. */
void proxy_options_complete(struct proxy_options *options, const struct config *config);

/* Do they go together? Returns likewise. */
int proxy_options_check(const struct proxy_options *options);

/* Opens whatever they ask for, as a part of the service. Returns likewise. */
int proxy_options_open(const struct proxy_options *options, struct service *service, struct proxies **out);

#endif
