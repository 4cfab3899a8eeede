/* Every path sends everything, each at its own pace. */
#include "mptcp/scheduler.h"

/* What the peer does not acknowledge goes once more only where it is under way no longer. */
static struct hawser_decision ask(const struct hawser_stream *stream, const struct hawser_path *path)
{
    bool behind = path->cursor < stream->next;
    if (!path->willing)
        return hawser_send_nothing(0);
    if (behind ? stream->may_copy : stream->new_bytes > 0)
        return hawser_send_cursor(UINT32_MAX);
    if (stream->new_bytes)
        return hawser_send_new(UINT32_MAX);
    if (stream->again_from < stream->again_end && path->in_flight_bytes == 0)
        return hawser_send_again(stream->again_from, UINT32_MAX);
    return hawser_send_nothing(0);
}

const struct hawser_scheduler scheduler_redundant = {
    .size = sizeof(struct hawser_scheduler), .name = "redundant", .ask = ask};
