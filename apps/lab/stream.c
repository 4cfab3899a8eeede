#include "stream.h"

#include <string.h>

enum { SENDER_PIECE = 256 * 1024 };

bool sender_init(struct sender *s, const struct lab_options *o, struct lab_progress *progress)
{
    *s = (struct sender){.pattern = pattern_new(o->seed),
                         .progress = progress,
                         .limit = o->bytes ? o->bytes : UINT64_MAX,
                         .until_ns = UINT64_MAX,
                         .same_block = o->no_verify};
    return s->pattern != NULL;
}

void sender_destroy(struct sender *s) { pattern_free(s->pattern); }

void sender_start(struct sender *s, const struct lab_options *o, uint64_t now_ns)
{
    if (o->time_ns)
        s->until_ns = now_ns + o->time_ns;
}

const uint8_t *sender_next(struct sender *s, uint64_t now_ns, size_t *len)
{
    if (s->bytes >= s->limit || now_ns >= s->until_ns)
        return NULL;
    const uint8_t *data = pattern_at(s->pattern, s->same_block ? 0 : s->bytes, len);
    *len = *len < SENDER_PIECE ? *len : SENDER_PIECE;
    if (*len > s->limit - s->bytes)
        *len = (size_t)(s->limit - s->bytes);
    return data;
}

void sender_sent(struct sender *s, size_t len)
{
    s->bytes += len;
    lab_set(&s->progress->bytes, s->bytes);
}

bool receiver_init(struct receiver *r, const struct lab_options *o, struct lab_progress *progress)
{
    *r = (struct receiver){
        .pattern = pattern_new(o->seed), .progress = progress, .verify = !o->no_verify, .mismatch_at = UINT64_MAX};
    sha256_init(&r->sha);
    return r->pattern != NULL;
}

void receiver_destroy(struct receiver *r) { pattern_free(r->pattern); }

static void receiver_compare(struct receiver *r, const uint8_t *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        size_t piece;
        const uint8_t *expected = pattern_at(r->pattern, r->bytes + done, &piece);
        piece = piece < len - done ? piece : len - done;
        if (memcmp(expected, data + done, piece) != 0) {
            size_t i = 0;
            while (expected[i] == data[done + i])
                i++;
            r->mismatch_at = r->bytes + done + i;
            return;
        }
        done += piece;
    }
}

void receiver_take(struct receiver *r, const uint8_t *data, size_t len, uint64_t now_ns)
{
    if (r->verify) {
        sha256_update(&r->sha, len, data);
        if (r->mismatch_at == UINT64_MAX)
            receiver_compare(r, data, len);
    }
    if (r->bytes == 0)
        r->first_ns = now_ns;
    else if (now_ns - r->last_ns > r->max_gap_ns)
        r->max_gap_ns = now_ns - r->last_ns;
    r->last_ns = now_ns;
    r->bytes += len;
    lab_set(&r->progress->bytes, r->bytes);
}

void receiver_finish(struct receiver *r, struct lab_result *result)
{
    sha256_digest(&r->sha, LAB_SHA256_BYTES, result->sha256);
    result->bytes = r->bytes;
    result->mismatch_at = r->mismatch_at;
    result->first_ns = r->first_ns;
    result->last_ns = r->last_ns;
    result->max_gap_ns = r->max_gap_ns;
}
