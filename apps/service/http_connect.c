/* The parser of the messages is http-parser, in pieces and without input or output of its own. */
#include "service/http_connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <nettle/base64.h>
#include <nettle/memops.h>

static struct http_connect *self(http_parser *parser) { return parser->data; }

/* Behind what came before, which may have been a part only. */
static bool append(char *text, size_t room, const char *more, size_t len)
{
    size_t before = strlen(text);
    if (len > room - before)
        return false;
    memcpy(text + before, more, len);
    text[before + len] = '\0';
    return memchr(more, '\0', len) == NULL;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct http_connect *http = self(parser);
    http->too_long |= !append(http->target, HTTP_TARGET_MAX, at, len);
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct http_connect *http = self(parser);
    if (http->in_value)
        http->field[0] = '\0';
    http->in_value = false;
    if (!append(http->field, HTTP_FIELD_MAX, at, len))
        http->field[0] = ' '; /* of no name that matters */
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct http_connect *http = self(parser);
    bool again = !http->in_value;
    http->in_value = true;
    if (strcasecmp(http->field, "Proxy-Authorization") != 0)
        return 0;
    if (again)
        http->credentials[0] = '\0';
    http->too_long |= !append(http->credentials, HTTP_CREDENTIALS_MAX, at, len);
    return 0;
}

static int on_complete(http_parser *parser)
{
    self(parser)->complete = true;
    return 1; /* what follows is no body: the parser stops here */
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_complete,
};

void http_connect_init(struct http_connect *http)
{
    memset(http, 0, sizeof *http);
    http_parser_init(&http->parser, HTTP_REQUEST);
    http->parser.data = http;
}

size_t http_connect_feed(struct http_connect *http, const uint8_t *bytes, size_t len, bool *done)
{
    size_t room = HTTP_HEAD_MAX - http->bytes, offered = len < room ? len : room;
    size_t n = http_parser_execute(&http->parser, &settings, (const char *)bytes, offered);
    http->bytes += n;
    http->too_long |= http->bytes == HTTP_HEAD_MAX && !http->complete;
    *done = http->complete || http->too_long || HTTP_PARSER_ERRNO(&http->parser) != HPE_OK;
    return n;
}

/* ---- what it was ---- */

static bool is_login(const char *credentials, const char *login)
{
    struct base64_decode_ctx decoder;
    uint8_t text[BASE64_DECODE_LENGTH(HTTP_CREDENTIALS_MAX)];
    size_t len = sizeof text;
    if (strncasecmp(credentials, "Basic ", 6) != 0)
        return false;
    base64_decode_init(&decoder);
    credentials += 6 + strspn(credentials + 6, " ");
    if (!base64_decode_update(&decoder, &len, text, strlen(credentials), credentials) || !base64_decode_final(&decoder))
        return false;
    return len == strlen(login) && memeql_sec(text, login, len);
}

/* "HOST:PORT", a host of IPv6 in brackets. */
static bool read_target(const char *target, struct http_request *out)
{
    struct http_parser_url url;
    http_parser_url_init(&url);
    if (http_parser_parse_url(target, strlen(target), 1, &url) != 0 || url.port == 0)
        return false;
    size_t len = url.field_data[UF_HOST].len;
    if (len == 0 || len > DIAL_NAME_MAX)
        return false;
    memcpy(out->name, target + url.field_data[UF_HOST].off, len);
    out->name[len] = '\0';
    out->named = hawser_addr_parse(&out->addr, out->name, url.port) < 0;
    out->addr.port = url.port;
    return !out->named || strchr(out->name, ':') == NULL;
}

void http_connect_request(const struct http_connect *http, const char *login, struct http_request *out)
{
    *out = (struct http_request){.status = 200};
    if (http->too_long)
        out->status = 431;
    else if (!http->complete || http->parser.http_major != 1)
        out->status = 400;
    else if (login && !is_login(http->credentials, login))
        out->status = 407;
    else if (http->parser.method != HTTP_CONNECT)
        out->status = 405;
    else if (!read_target(http->target, out))
        out->status = 400;
}

/* ---- what is answered ---- */

static const struct {
    int status;
    const char *phrase, *field;
} answers[] = {
    {400, "Bad Request", ""},
    {403, "Forbidden", ""},
    {405, "Method Not Allowed", "Allow: CONNECT\r\n"},
    {407, "Proxy Authentication Required", "Proxy-Authenticate: Basic realm=\"hawser\"\r\n"},
    {408, "Request Timeout", ""},
    {431, "Request Header Fields Too Large", ""},
    {502, "Bad Gateway", ""},
    {503, "Service Unavailable", ""},
    {504, "Gateway Timeout", ""},
};

size_t http_connect_answer(char *out, int status, const char *why)
{
    size_t i = 0;
    if (status == 200) /* RFC 9110 9.3.6: without a length, as what follows is the other side's */
        return (size_t)snprintf(out, HTTP_ANSWER_MAX, "HTTP/1.1 200 Connection established\r\n\r\n");
    while (i + 1 < sizeof answers / sizeof answers[0] && answers[i].status != status)
        i++;
    int n = snprintf(out, HTTP_ANSWER_MAX,
                     "HTTP/1.1 %d %s\r\n%sContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\nhawser: %.*s\n",
                     answers[i].status, answers[i].phrase, answers[i].field,
                     strlen("hawser: \n") + strnlen(why, HTTP_WHY_MAX), HTTP_WHY_MAX, why);
    return n < HTTP_ANSWER_MAX ? (size_t)n : HTTP_ANSWER_MAX - 1;
}

int http_status_of(int error)
{
    switch (error) {
    case -EACCES:
    case -EPERM:
        return 403;
    case -ETIMEDOUT:
        return 504;
    case -ENOBUFS:
    case -ENOMEM:
    case -EMFILE:
    case -EUSERS:
    case -EADDRNOTAVAIL:
        return 503;
    default:
        return 502;
    }
}
