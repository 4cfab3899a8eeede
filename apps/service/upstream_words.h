/* What is said of upstream, by the command line or by a configuration. */
#ifndef HW_APPS_SERVICE_UPSTREAM_WORDS_H
#define HW_APPS_SERVICE_UPSTREAM_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "service/tls_credentials.h"

/* Texts that outlive it, or NULL. */
struct upstream_words {
    const char *server, *serve;                  /* HOST:PORT; ADDRESS:PORT */
    const char *key, *certificate, *private_key; /* names of files, as those of struct tls_files are */
    const char *ca, *server_name;                /* of a client */
    const char *client_ca;                       /* of a server */
};

/* What is not said is as `by` says; a key, or a certificate, takes the place of both. */
void upstream_words_complete(struct upstream_words *words, const struct upstream_words *by);

/* Do they go together? Else in `why` one line. Without server and serve anything does. */
bool upstream_words_check(const struct upstream_words *words, char *why, size_t why_size);

/* The first that means nothing without server and serve; NULL: there is none. */
const char *upstream_words_left_over(const struct upstream_words *words);

/* The files of one role. `host` is whom a certificate of the server's is for, if no word says another name. */
struct tls_files upstream_words_files(const struct upstream_words *words, enum tls_role role, const char *host);

#endif
