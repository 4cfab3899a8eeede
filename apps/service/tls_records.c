#include "service/tls_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum { TLS_CHANGE_CIPHER_SPEC = 20, TLS_HEARTBEAT = 24, TLS_MAJOR_VERSION = 3 };

void tls_records_init(struct tls_records *r, struct end below, struct tls_intake *intake)
{
    *r = (struct tls_records){.below = below, .intake = intake};
}

static void drop_taken(struct tls_records *r)
{
    if (!r->in.buf)
        return;
    r->intake->taken_bytes -= hawser_buf_capacity(r->in.buf);
    hawser_buf_unref(r->in.buf);
    r->in = (struct hawser_slice){0};
}

static void drop_part(struct tls_records *r)
{
    free(r->part);
    r->part = NULL;
    r->part_at = r->part_len = 0;
}

void tls_records_destroy(struct tls_records *r)
{
    drop_taken(r);
    drop_part(r);
    r->ready = 0;
}

size_t tls_records_held(const struct tls_records *r)
{
    return r->part_len + (r->in.buf ? hawser_buf_capacity(r->in.buf) : 0);
}

/* By its header. What is none is passed on, for who reads to say so. */
static uint32_t record_len(const uint8_t *header)
{
    const uint32_t len = (uint32_t)header[3] << 8 | header[4];
    const bool sane = header[0] >= TLS_CHANGE_CIPHER_SPEC && header[0] <= TLS_HEARTBEAT &&
                      header[1] == TLS_MAJOR_VERSION && len <= TLS_RECORD_MAX - TLS_HEADER_BYTES;
    return TLS_HEADER_BYTES + (sane ? len : 0);
}

static ssize_t take_below(struct tls_records *r)
{
    if (r->intake->taken_bytes >= r->intake->taken_max)
        return -ENOBUFS;
    ssize_t n = end_take(r->below, &r->in);
    if (n > 0)
        r->intake->taken_bytes += hawser_buf_capacity(r->in.buf);
    return n;
}

/* What comes next, where it is. */
static ssize_t look(struct tls_records *r, struct hawser_part *out)
{
    ssize_t n = r->in.buf ? 1 : take_below(r);
    if (n == -ENOBUFS) /* nothing would tell when they can be taken */
        return end_peek(r->below, out, 1);
    if (n > 0)
        *out = (struct hawser_part){r->in.data, r->in.len};
    return n;
}

static void pass(struct tls_records *r, uint32_t len)
{
    if (!r->in.buf) {
        end_consume(r->below, len);
        r->intake->untaken_bytes += len;
        return;
    }
    r->in.data += len;
    r->in.len -= len;
    if (r->in.len == 0)
        drop_taken(r);
}

/* Of a record that does not lie there in one piece, what there is; no room is made for what may come. */
static ssize_t gather(struct tls_records *r, const struct hawser_part *from)
{
    const uint32_t wanted = r->part_len < TLS_HEADER_BYTES ? TLS_HEADER_BYTES : record_len(r->part);
    const uint32_t n = (uint32_t)HW_MIN(wanted - r->part_len, from->len);
    uint8_t *more = realloc(r->part, r->part_len + n);
    if (!more)
        return -ENOMEM;
    r->part = more;
    memcpy(r->part + r->part_len, from->data, n);
    r->part_len += n;
    pass(r, n);
    if (r->part_len >= TLS_HEADER_BYTES && r->part_len == record_len(r->part))
        r->ready = r->part_len;
    return 1;
}

ssize_t tls_records_next(struct tls_records *r)
{
    struct hawser_part from;
    ssize_t n = 1;
    while (!r->ready && n > 0) {
        n = look(r, &from);
        if (n > 0 && !r->part && r->in.buf && from.len >= TLS_HEADER_BYTES && from.len >= record_len(from.data))
            r->ready = record_len(from.data);
        else if (n > 0)
            n = gather(r, &from);
    }
    return r->ready ? 1 : n;
}

size_t tls_records_read(struct tls_records *r, void *out, size_t len)
{
    const uint32_t n = (uint32_t)HW_MIN(len, r->ready);
    if (n == 0)
        return 0;
    r->ready -= n;
    if (!r->part) {
        memcpy(out, r->in.data, n);
        pass(r, n);
        return n;
    }
    memcpy(out, r->part + r->part_at, n);
    r->part_at += n;
    if (r->ready == 0)
        drop_part(r);
    return n;
}
