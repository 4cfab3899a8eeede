/* The default: the least round trip of those that have room. The order in which paths are asked is all of it. */
#include "mptcp/scheduler.h"

/* Bytes do not go back to where they got stuck or lost; what is new has to go somewhere. */
static struct hawser_decision ask(const struct hawser_stream *stream, const struct hawser_path *path)
{
    if (!path->willing)
        return hawser_send_nothing(0);
    if (stream->again_from < stream->again_end && !path->stale)
        return hawser_send_again(stream->again_from, UINT32_MAX);
    return stream->new_bytes ? hawser_send_new(UINT32_MAX) : hawser_send_nothing(0);
}

const struct hawser_scheduler scheduler_lowest_rtt = {
    .size = sizeof(struct hawser_scheduler), .name = "lowest-rtt", .ask = ask};
