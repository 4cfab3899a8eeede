#include "mptcp/readiness.h"

#include <hawser/event.h>

#define LOW_WATER_SHARE 8u
#define LOW_WATER_MAX (UINT32_C(128) << 10)

uint32_t readiness_low_water(uint32_t send_limit)
{
    return HW_MAX(HW_MIN(send_limit / LOW_WATER_SHARE, LOW_WATER_MAX), 1u);
}

/* So much that more is not to be waited for. */
static uint32_t room_enough(const struct data_tx *tx)
{
    uint32_t allowance = data_tx_allowance(tx), all = data_tx_limit(tx);
    return allowance < all ? allowance / 2 : all;
}

static bool has_room(const struct readiness *r, uint32_t room)
{
    if (data_tx_ends(r->tx) || r->starved)
        return false;
    uint32_t is = data_tx_room(r->tx);
    return is && (is >= room || is >= room_enough(r->tx));
}

unsigned readiness_of(const struct readiness *r, uint32_t room)
{
    bool established = identity_established(r->id), over = data_rx_is_over(r->rx), failed = endings_error(r->endings);
    unsigned is = 0;
    if (established)
        is |= HAWSER_CONNECTED;
    if (failed)
        is |= HAWSER_ERROR | HAWSER_READABLE | HAWSER_WRITABLE;
    if (over)
        is |= HAWSER_PEER_FINISHED | HAWSER_READABLE;
    if (data_rx_readable(r->rx))
        is |= HAWSER_READABLE;
    if (established && has_room(r, room))
        is |= HAWSER_WRITABLE;
    if (data_tx_end_acked(r->tx))
        is |= HAWSER_DELIVERED;
    if ((over || failed) && subflows_over(r->subflows) && !endings_awaits_rescue(r->endings))
        is |= HAWSER_CLOSED;
    if (r->passed_on && subflows_asked(r->subflows))
        is |= HAWSER_ASKED;
    return is;
}

static uint32_t arrivals(const struct readiness *r) { return (uint32_t)data_rx_next(r->rx).v; }

unsigned readiness_news(const struct readiness *r, const struct told *told)
{
    uint32_t room = r->low_water ? r->low_water : readiness_low_water(data_tx_limit(r->tx));
    return endings_detached(r->endings) ? 0 : told_news(told, readiness_of(r, room), arrivals(r));
}

unsigned readiness_tell(const struct readiness *r, struct told *told)
{
    unsigned news = readiness_news(r, told);
    told_note(told, news, arrivals(r));
    return news;
}
