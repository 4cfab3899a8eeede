/*
 * SOCKS 5 (RFC 1928) with user and password (RFC 1929), both sides: between bytes and structs, no state. A reader
 * returns how many bytes the message has, 0 when it is not all there yet, or -EPROTO when it is none.
 */
#ifndef HW_APPS_SERVICE_SOCKS_H
#define HW_APPS_SERVICE_SOCKS_H

#include <stdbool.h>
#include <sys/types.h>

#include "service/dial.h"

enum {
    SOCKS_VERSION = 5,
    SOCKS_MESSAGE_MAX = 3 + 2 * 255, /* bytes of the longest message, that with user and password */
};

enum socks_method { SOCKS_OPEN = 0, SOCKS_PASSWORD = 2, SOCKS_NO_METHOD = 0xff };

enum socks_reply {
    SOCKS_GRANTED = 0,
    SOCKS_FAILED = 1,
    SOCKS_FORBIDDEN = 2,
    SOCKS_NETWORK_UNREACHABLE = 3,
    SOCKS_HOST_UNREACHABLE = 4,
    SOCKS_REFUSED = 5,
    SOCKS_TIMED_OUT = 6, /* "TTL expired", as nothing else says it */
    SOCKS_NO_COMMAND = 7,
    SOCKS_NO_ADDRESS_TYPE = 8,
    SOCKS_NO_NAME = 0xf4, /* from here on said to other Hawsers only: nobody has that name, */
    SOCKS_NO_RESOLVER,    /* or nobody could say who has it */
};

/* Whom a client asks for. */
struct socks_request {
    enum socks_reply fault; /* SOCKS_GRANTED, or why nobody can be asked for that */
    char name[DIAL_NAME_MAX + 1];
    bool named; /* by a name; else by `addr`, whose port holds in any case */
    struct hawser_addr addr;
};

/* ---- the side that is asked ---- */

/* A client's methods: does it offer this one? */
ssize_t socks_read_methods(const uint8_t *bytes, size_t len, enum socks_method wanted, bool *offered);
/* RFC 1929: is it that user, with that password? Both are compared in a time that does not depend on where they differ.
 */
ssize_t socks_read_password(const uint8_t *bytes, size_t len, const char *user, const char *password, bool *right);
ssize_t socks_read_request(const uint8_t *bytes, size_t len, struct socks_request *out);

/* Each returns how many bytes of `out`, which has room for SOCKS_MESSAGE_MAX, it wrote. */
size_t socks_write_method(uint8_t *out, enum socks_method method);
size_t socks_write_verdict(uint8_t *out, bool right);
size_t socks_write_reply(uint8_t *out, enum socks_reply reply);

/* ---- the side that asks: for one method, and without waiting for the answers in between ---- */

size_t socks_write_methods(uint8_t *out, enum socks_method method);
/* 0: the name is too long, or empty. */
size_t socks_write_request(uint8_t *out, const struct destination *to);
ssize_t socks_read_method(const uint8_t *bytes, size_t len, enum socks_method *out);
ssize_t socks_read_reply(const uint8_t *bytes, size_t len, enum socks_reply *out);

/* ---- errors ---- */

/* How a client is told of a negative errno of a dialer, and what another Hawser meant by it. */
enum socks_reply socks_reply_of(int error);
enum socks_reply socks_reply_to_hawser(int error);
int socks_error_of(enum socks_reply reply);

#endif
