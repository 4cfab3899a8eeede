/*
 * A scheduler of one's own: the first path costs nothing, every other one is paid for by the byte and carries a fifth
 * of what is sent and no more, as long as the first one works. scheduler_demo.c has a transfer that it serves.
 */
#include <hawser/scheduler.h>

enum { FREE_PATH = 0, SHARE = 5 }; /* the first subflow of a connection has the id 0 */

/* Its memory for a connection, zero at first. */
struct bill {
    uint64_t all, paid;
};

/* May a segment go there that has to be paid for? */
static bool is_affordable(const struct hawser_stream *stream, const struct hawser_path *path)
{
    const struct bill *bill = stream->memory;
    return path->id != FREE_PATH && !path->stale && (bill->paid + path->segment_bytes) * SHARE <= bill->all;
}

/* `path` has room: what goes there? */
static struct hawser_decision ask(const struct hawser_stream *stream, const struct hawser_path *path)
{
    bool free_works = false, paid_is_next = false;
    for (size_t i = 0; i < stream->path_count; i++) {
        const struct hawser_path *p = stream->paths[i];
        free_works |= p->id == FREE_PATH && !p->stale;
        paid_is_next |= p->room_bytes && is_affordable(stream, p);
    }
    if (stream->again_from < stream->again_end && !path->stale) /* what got lost elsewhere goes first, at any price */
        return hawser_send_again(stream->again_from, UINT32_MAX);
    if (stream->new_bytes == 0)
        return hawser_send_nothing(0); /* until something has happened */
    if (path->id == FREE_PATH)
        return paid_is_next ? hawser_send_nothing(0) : hawser_send_new(4 * path->segment_bytes);
    return free_works && !is_affordable(stream, path) ? hawser_send_nothing(0) : hawser_send_new(path->segment_bytes);
}

/* So much has left. */
static void sent(const struct hawser_stream *stream, const struct hawser_path *path, uint64_t from, uint32_t len)
{
    struct bill *bill = stream->memory;
    (void)from;
    bill->all += len;
    bill->paid += path->id == FREE_PATH ? 0 : len;
}

extern const struct hawser_scheduler thrifty;
const struct hawser_scheduler thrifty = {
    .size = sizeof(struct hawser_scheduler),
    .name = "thrifty",
    .conn_bytes = sizeof(struct bill),
    .ask = ask,
    .sent = sent,
};
