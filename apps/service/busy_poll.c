#include "service/busy_poll.h"

#include "base/compiler.h"

void busy_poll_init(struct busy_poll *poll, unsigned processors)
{
    *poll = (struct busy_poll){.alone = processors < 2};
}

uint64_t busy_poll_begin(struct busy_poll *poll, uint64_t now_ns)
{
    uint64_t worked_ns = now_ns - poll->ended_ns;
    poll->saved_ns = HW_MIN(poll->saved_ns + worked_ns, BUSY_POLL_SAVED_NS);
    poll->began_ns = now_ns;
    bool looks = !poll->alone && poll->seen >= BUSY_POLL_SEEN && worked_ns <= BUSY_POLL_WORK_NS &&
                 poll->saved_ns >= BUSY_POLL_NS;
    return looks ? now_ns + BUSY_POLL_NS : now_ns;
}

void busy_poll_end(struct busy_poll *poll, uint64_t looked_ns, uint64_t now_ns)
{
    uint64_t waited_ns = now_ns - poll->began_ns;
    poll->saved_ns -= HW_MIN(poll->saved_ns, looked_ns);
    poll->ended_ns = now_ns;
    if (waited_ns > BUSY_POLL_SHORT_NS || looked_ns >= BUSY_POLL_NS)
        poll->seen /= 2;
    else if (waited_ns >= BUSY_POLL_NO_WAIT_NS)
        poll->seen = HW_MIN(poll->seen + 1, BUSY_POLL_REMEMBERED);
}
