/* Listeners: the connections that wait on them, and what their programs are told. */
#include <hawser/event.h>

#include "stack/stack.h"

static unsigned news(const struct hawser_listener *listener)
{
    return told_news(&listener->told, listener->acceptable.count ? HAWSER_ACCEPTABLE : 0, listener->came);
}

static void line_up(struct hawser_listener *listener)
{
    told_line_up(&listener->told, &listener->stack->host.events, news(listener));
}

void listener_enter(struct hawser_listener *listener, struct conn *conn)
{
    conn->listener = listener;
    quota_enter(&listener->acceptable, &conn->accept_link);
    listener->came++;
    line_up(listener);
}

void listener_leave(struct hawser_listener *listener, struct conn *conn)
{
    conn->listener = NULL;
    quota_leave(&listener->acceptable, &conn->accept_link);
    line_up(listener);
}

unsigned listener_take_event(struct hawser_listener *listener)
{
    unsigned what = news(listener);
    told_note(&listener->told, what, listener->came);
    return what;
}
