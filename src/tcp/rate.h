/*
 * How fast the path delivers (draft-ietf-ccwg-bbr, 4.1): whatever leaves notes how much had been delivered by then, and
 * when; once it has arrived, the difference is what the path carried in between. One of these for a flight.
 *
 * It knows neither records nor sequence space: numbers only tell which of two that left at once is newer.
 */
#ifndef HW_TCP_RATE_H
#define HW_TCP_RATE_H

#include <hawser/congestion.h>

/* What a record notes whenever it leaves. */
struct rate_stamp {
    uint64_t delivered;     /* bytes, in all */
    uint64_t delivered_ns;  /* when the last of these were */
    uint64_t first_sent_ns; /* when the newest of these had left: so long the sending of this flight takes */
    uint32_t lost;          /* bytes, in all, modulo 2^32 */
    uint32_t tx_in_flight;  /* bytes, itself included */
    bool app_limited;
};

struct rate {
    uint64_t delivered, lost; /* bytes, in all */
    uint64_t delivered_ns;    /* as in the stamp */
    uint64_t first_sent_ns;
    uint64_t bubble_end; /* the program had nothing to send until so much is delivered; 0: it had */
    uint64_t lost_told;  /* of `lost`, in the last sample */
    /* Of what the acknowledgement at hand delivers, the newest; and of what it delivered in all, the end. */
    struct rate_stamp newest;
    uint64_t newest_sent_ns, newest_end;
    bool any;
};

/* Something leaves: `span` bytes, with which `in_flight` are in flight. Fills in its stamp. */
void rate_sent(struct rate *r, struct rate_stamp *stamp, uint32_t in_flight, uint32_t span, uint64_t now_ns);

/* The program has less to send than there is room for, with so much in flight. */
void rate_mark_limited(struct rate *r, uint32_t in_flight);

/* `bytes` are deemed lost. */
void rate_lost(struct rate *r, uint64_t bytes);

/* The acknowledgement at hand delivers something that left last at `sent_ns`, up to number `end`. */
void rate_delivered(struct rate *r, const struct rate_stamp *stamp, uint64_t sent_ns, uint64_t end);
/* And after all of these: it is `bytes` in all. */
void rate_settle(struct rate *r, uint32_t bytes, uint64_t now_ns);

/* What this acknowledgement shows: the members that follow from the above. Then the next one may come. Shorter than
 * `min_rtt_ns` no sample can be. */
struct hawser_rate_sample rate_take(struct rate *r, uint64_t min_rtt_ns, uint64_t now_ns);

static inline bool rate_is_limited(const struct rate *r) { return r->bubble_end != 0; }

#endif
