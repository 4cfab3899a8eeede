/*
 * The head of a request to an HTTP proxy: CONNECT (RFC 9110 9.3.6), with Basic credentials (RFC 7617) or without. Fed
 * in pieces, as they come.
 */
#ifndef HW_APPS_SERVICE_HTTP_CONNECT_H
#define HW_APPS_SERVICE_HTTP_CONNECT_H

#include <http_parser.h>
#include <stdbool.h>
#include <sys/types.h>

#include "service/dial.h"

enum {
    HTTP_HEAD_MAX = 8192, /* bytes */
    HTTP_TARGET_MAX = DIAL_NAME_MAX + 8,
    HTTP_FIELD_MAX = 24,        /* of a name of a field that means something here, and more */
    HTTP_CREDENTIALS_MAX = 700, /* of "Basic", and base64 of user and password */
    HTTP_WHY_MAX = 120,         /* characters of a reason */
    HTTP_ANSWER_MAX = 384,
};

/* Only the state is anybody else's to see. */
struct http_connect {
    http_parser parser;
    size_t bytes; /* so far */
    char target[HTTP_TARGET_MAX + 1], field[HTTP_FIELD_MAX + 1], credentials[HTTP_CREDENTIALS_MAX + 1];
    bool too_long, in_value, complete;
};

struct http_request {
    int status; /* 200, or how it is refused: 400, 405, 407, 431 */
    char name[DIAL_NAME_MAX + 1];
    bool named; /* else `addr` */
    struct hawser_addr addr;
};

void http_connect_init(struct http_connect *http);

/* Takes `len` bytes, or as many as belong to the head. Returns how many; *done tells that it is over, or never can be:
 * then http_connect_request() says what it was. */
size_t http_connect_feed(struct http_connect *http, const uint8_t *bytes, size_t len, bool *done);

/* `login` is "user:password", or NULL: anybody. */
void http_connect_request(const struct http_connect *http, const char *login, struct http_request *out);

/* Writes an answer with this status, into HTTP_ANSWER_MAX bytes; `why` is one line, for other ones than 200. Returns
 * its length. */
size_t http_connect_answer(char *out, int status, const char *why);

/* The status for a negative errno of a dialer. */
int http_status_of(int error);

#endif
