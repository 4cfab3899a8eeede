#include "service/socks.h"

#include <errno.h>
#include <string.h>

#include <nettle/memops.h>

#include "base/compiler.h"

enum { COMMAND_CONNECT = 1, ADDRESS_V4 = 1, ADDRESS_NAME = 3, ADDRESS_V6 = 4, PASSWORD_VERSION = 1 };

/* ---- the side that is asked ---- */

ssize_t socks_read_methods(const uint8_t *bytes, size_t len, enum socks_method wanted, bool *offered)
{
    if (len > 0 && bytes[0] != SOCKS_VERSION)
        return -EPROTO;
    if (len < 2 || len < 2u + bytes[1])
        return 0;
    *offered = bytes[1] > 0 && memchr(bytes + 2, wanted, bytes[1]);
    return 2 + bytes[1];
}

/* A string with its length before it. */
static bool is_same(const uint8_t *field, const char *expected)
{
    size_t len = strlen(expected);
    return field[0] == len && memeql_sec(field + 1, expected, len);
}

ssize_t socks_read_password(const uint8_t *bytes, size_t len, const char *user, const char *password, bool *right)
{
    if (len > 0 && bytes[0] != PASSWORD_VERSION)
        return -EPROTO;
    if (len < 2 || len < 3u + bytes[1])
        return 0;
    const uint8_t *second = bytes + 2 + bytes[1];
    size_t all = 3u + bytes[1] + second[0];
    if (len < all)
        return 0;
    bool is_user = is_same(bytes + 1, user), is_password = is_same(second, password);
    *right = is_user && is_password;
    return (ssize_t)all;
}

/* Bytes of the address at `at`, whose type is before it, and of the port; 0: that cannot be said yet, or never. */
static size_t address_len(const uint8_t *bytes, size_t len)
{
    switch (bytes[3]) {
    case ADDRESS_V4:
        return 4 + 2;
    case ADDRESS_V6:
        return 16 + 2;
    case ADDRESS_NAME:
        return len < 5 ? 0 : 1u + bytes[4] + 2;
    default:
        return 0;
    }
}

static bool is_known_type(uint8_t type) { return type == ADDRESS_V4 || type == ADDRESS_V6 || type == ADDRESS_NAME; }

/* A name that a resolver can be given: text without a NUL, a space or a control character. */
static bool is_name(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] <= ' ' || bytes[i] == 0x7f)
            return false;
    return len > 0;
}

static void read_address(const uint8_t *bytes, size_t len, struct socks_request *out)
{
    const uint8_t *at = bytes + 4;
    out->addr.port = (uint16_t)(bytes[len - 2] << 8 | bytes[len - 1]);
    if (bytes[3] == ADDRESS_V6) {
        memcpy(out->addr.ip, at, 16);
    } else if (bytes[3] == ADDRESS_V4) {
        out->addr.ip[10] = out->addr.ip[11] = 0xff;
        memcpy(out->addr.ip + 12, at, 4);
    } else {
        memcpy(out->name, at + 1, at[0]);
        if (!is_name(at + 1, at[0]))
            out->fault = SOCKS_FAILED;
        out->named = hawser_addr_parse(&out->addr, out->name, out->addr.port) < 0; /* no resolver has to be asked */
    }
    if (out->addr.port == 0)
        out->fault = SOCKS_FAILED;
}

ssize_t socks_read_request(const uint8_t *bytes, size_t len, struct socks_request *out)
{
    if (len > 0 && bytes[0] != SOCKS_VERSION)
        return -EPROTO;
    if (len < 4)
        return 0;
    *out = (struct socks_request){.fault = SOCKS_GRANTED};
    if (bytes[2] != 0 || !is_known_type(bytes[3])) { /* nobody knows how long that is: there is nothing after it */
        out->fault = bytes[2] != 0 ? SOCKS_FAILED : SOCKS_NO_ADDRESS_TYPE;
        return (ssize_t)len;
    }
    size_t address = address_len(bytes, len);
    if (address == 0 || len < 4 + address)
        return 0;
    read_address(bytes, 4 + address, out);
    if (bytes[1] != COMMAND_CONNECT)
        out->fault = SOCKS_NO_COMMAND;
    return (ssize_t)(4 + address);
}

size_t socks_write_method(uint8_t *out, enum socks_method method)
{
    out[0] = SOCKS_VERSION;
    out[1] = (uint8_t)method;
    return 2;
}

size_t socks_write_verdict(uint8_t *out, bool right)
{
    out[0] = PASSWORD_VERSION;
    out[1] = right ? 0 : 1;
    return 2;
}

size_t socks_write_reply(uint8_t *out, enum socks_reply reply)
{
    const uint8_t bytes[10] = {SOCKS_VERSION, (uint8_t)reply, 0, ADDRESS_V4}; /* from where is nobody's business */
    memcpy(out, bytes, sizeof bytes);
    return sizeof bytes;
}

/* ---- the side that asks ---- */

size_t socks_write_methods(uint8_t *out, enum socks_method method)
{
    out[0] = SOCKS_VERSION;
    out[1] = 1;
    out[2] = (uint8_t)method;
    return 3;
}

static size_t write_address(uint8_t *out, const struct destination *to)
{
    size_t len = to->name ? strlen(to->name) : 0;
    if (to->name) {
        out[0] = ADDRESS_NAME;
        out[1] = (uint8_t)len;
        memcpy(out + 2, to->name, len);
        return 2 + len;
    }
    bool v4 = hawser_addr_is_v4(&to->addr);
    out[0] = v4 ? ADDRESS_V4 : ADDRESS_V6;
    memcpy(out + 1, to->addr.ip + (v4 ? 12 : 0), v4 ? 4 : 16);
    return 1u + (v4 ? 4 : 16);
}

size_t socks_write_request(uint8_t *out, const struct destination *to)
{
    if (to->name && (to->name[0] == '\0' || strlen(to->name) > DIAL_NAME_MAX))
        return 0;
    out[0] = SOCKS_VERSION;
    out[1] = COMMAND_CONNECT;
    out[2] = 0;
    size_t len = 3 + write_address(out + 3, to);
    out[len++] = (uint8_t)(to->addr.port >> 8);
    out[len++] = (uint8_t)to->addr.port;
    return len;
}

ssize_t socks_read_method(const uint8_t *bytes, size_t len, enum socks_method *out)
{
    if (len > 0 && bytes[0] != SOCKS_VERSION)
        return -EPROTO;
    if (len < 2)
        return 0;
    *out = bytes[1];
    return 2;
}

ssize_t socks_read_reply(const uint8_t *bytes, size_t len, enum socks_reply *out)
{
    if ((len > 0 && bytes[0] != SOCKS_VERSION) || (len > 2 && bytes[2] != 0) || (len > 3 && !is_known_type(bytes[3])))
        return -EPROTO;
    size_t address = len < 4 ? 0 : address_len(bytes, len);
    if (address == 0 || len < 4 + address)
        return 0;
    *out = bytes[1];
    return (ssize_t)(4 + address);
}

/* ---- errors ---- */

/* Of those with one reply the first is what the reply means. */
static const struct {
    int error;
    enum socks_reply reply;
} table[] = {
    {-EACCES, SOCKS_FORBIDDEN},
    {-EPERM, SOCKS_FORBIDDEN},
    {-ENETUNREACH, SOCKS_NETWORK_UNREACHABLE},
    {-EINVAL, SOCKS_NETWORK_UNREACHABLE}, /* no single host has that address, or it is an uplink's own */
    {-EHOSTUNREACH, SOCKS_HOST_UNREACHABLE},
    {-ENOENT, SOCKS_HOST_UNREACHABLE}, /* no such name */
    {-ENOPROTOOPT, SOCKS_HOST_UNREACHABLE},
    {-ECONNREFUSED, SOCKS_REFUSED},
    {-ECONNRESET, SOCKS_REFUSED},
    {-ETIMEDOUT, SOCKS_TIMED_OUT},
    {-EREMOTEIO, SOCKS_HOST_UNREACHABLE}, /* who has that name, nobody could say */
    {-ENOENT, SOCKS_NO_NAME},
    {-EREMOTEIO, SOCKS_NO_RESOLVER},
};

enum socks_reply socks_reply_of(int error)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++)
        if (table[i].error == error)
            return table[i].reply;
    return error == 0 ? SOCKS_GRANTED : SOCKS_FAILED;
}

enum socks_reply socks_reply_to_hawser(int error)
{
    return error == -ENOENT ? SOCKS_NO_NAME : error == -EREMOTEIO ? SOCKS_NO_RESOLVER : socks_reply_of(error);
}

int socks_error_of(enum socks_reply reply)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++)
        if (table[i].reply == reply)
            return table[i].error;
    return reply == SOCKS_GRANTED ? 0 : -ECONNRESET;
}
