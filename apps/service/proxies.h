/*
 * What the service does beside its doors: local ports that speak SOCKS 5 and HTTP CONNECT; upstream, by which all goes
 * to one's own Hawser on a server first; and the other side of that.
 */
#ifndef HW_APPS_SERVICE_PROXIES_H
#define HW_APPS_SERVICE_PROXIES_H

#include "service/service.h"
#include "service/session.h"
#include "service/upstream_dialer.h"
#include "service/upstream_words.h"

enum {
    PROXIES_MAX = 16,              /* local ports */
    PROXY_CLIENTS = 16384,         /* connections of one of them at once */
    PROXY_LOGIN_MAX = 2 * 255 + 1, /* "user:password" (RFC 1929) */
};

struct proxies;

/* A part of that service from now on, which ends with it. Returns 0 and *out, or a negative errno. */
int proxies_new(struct service *service, struct proxies **out);

/* Each of these returns 0, or a negative errno and one line in `why`. */

/* All that doors and local ports ask for goes to that server first. */
int proxies_use_upstream(struct proxies *proxies, const struct upstream_words *words, char *why, size_t why_size);

/* Clients of local ports have to say this, which is in the file: "user:password". Those opened afterwards. */
int proxies_read_login(struct proxies *proxies, const char *path, char *why, size_t why_size);

/* Is the file such a one? */
int proxies_check_login(const char *path, char *why, size_t why_size);

/* Opens a local port, "ADDRESS:PORT", that speaks SESSION_SOCKS or SESSION_HTTP, or both. */
int proxies_open(struct proxies *proxies, const char *local, unsigned spoken, char *why, size_t why_size);

/* Is upstream for those who have the key, or the right certificate: at an address of the stack, or else of the kernel.
 */
int proxies_serve_upstream(struct proxies *proxies, const struct upstream_words *words, char *why, size_t why_size);

/* Reads those files of upstream again that have changed since; nothing goes by them yet. `words` are those of before.
 * -EACCES: they are not ours to read. */
int proxies_read_again(struct proxies *proxies, const struct upstream_words *words, char *why, size_t why_size);

/* What was read again holds for who begins from now on. */
void proxies_renew(struct proxies *proxies);

/* The upstream, as it was written; NULL: there is none. */
const char *proxies_upstream_name(const struct proxies *proxies);

/* What became of dials by the upstream, and why the last one failed that was not answered as it should have been, if
 * one was not; false: there is none. */
bool proxies_upstream(const struct proxies *proxies, struct upstream_counts *out, const char **failure);

/* The i-th port (0, 1, ...): as it was written, and its counts; NULL past the end. */
const char *proxies_status(const struct proxies *proxies, size_t i, struct session_counts *out);

#endif
