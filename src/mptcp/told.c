#include "mptcp/told.h"

#include <hawser/event.h>

void told_init(struct told *told, bool of_listener)
{
    *told = (struct told){.of_listener = of_listener};
    list_init(&told->link);
}

unsigned told_news(const struct told *told, unsigned is, uint32_t came)
{
    unsigned known = told->what;
    if (came != told->came)
        known &= ~(unsigned)(HAWSER_READABLE | HAWSER_ACCEPTABLE | HAWSER_REQUESTED);
    if (is & HAWSER_ERROR & ~known)
        known &= ~(unsigned)(HAWSER_READABLE | HAWSER_WRITABLE);
    return is & ~known;
}

void told_line_up(struct told *told, struct list *line, bool news)
{
    if (!news)
        list_remove(&told->link);
    else if (list_empty(&told->link))
        list_push_back(line, &told->link);
}

void told_note(struct told *told, unsigned news, uint32_t came)
{
    told->what |= (uint16_t)news;
    told->came = came;
    told_leave(told);
}
