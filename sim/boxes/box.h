/* What middleboxes share: which packets they work on, a view of a segment, and the edits that they make. */
#ifndef HW_SIM_BOXES_BOX_H
#define HW_SIM_BOXES_BOX_H

#include "sim/boxes.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { BOX_INNER, BOX_OUTER }; /* the ports */

/* A TCP segment inside a packet; the pointers lead into the packet. */
struct box_segment {
    struct ip_header ip;
    struct tcp_header tcp;
    struct hawser_addr src, dst; /* with ports */
    uint8_t *tcp_at, *options, *payload;
    uint32_t options_len, payload_len;
};

struct box;

/* What became of a packet. */
enum box_fate {
    BOX_PASS,
    BOX_DROP,
    BOX_TAKEN, /* the box keeps it, or has sent it on already */
};

/* Most boxes are one function, called for each TCP segment that they work on. */
typedef enum box_fate box_work(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                               uint64_t now_ns);

struct box {
    struct node node;
    struct box_config config;
    box_work *work;
    bool always;                                /* `work` sees every segment and asks box_acts() itself */
    uint64_t acted;                             /* times it did what it is for */
    void (*fini)(struct box *box);              /* frees what it holds beyond this; NULL: nothing */
    uint64_t (*next_at)(const struct box *box); /* its own timer; NULL: none */
    void (*on_time)(struct box *box, uint64_t now_ns);
};

/* A box in `size` bytes that begin with struct box, added to the world. */
struct box *box_make(struct world *world, const char *name, const struct box_config *config, size_t size,
                     box_work *work);

/* Within its time and direction? */
bool box_acts(const struct box *box, unsigned port, uint64_t now_ns);
/* Does the segment fit what the configuration asks for, chance included? Draws from the box's stream. */
bool box_selects(struct box *box, const struct box_segment *seg);

/* False when the packet holds no whole TCP segment. */
bool box_parse(struct packet *packet, struct box_segment *seg);
/* After header fields in `seg->tcp` or bytes of options and payload were changed. */
void box_rewrite(struct packet *packet, struct box_segment *seg);
/* Puts other options (at most 40 bytes, a multiple of 4) in place of those there; false when the packet has no room. */
bool box_set_options(struct packet *packet, struct box_segment *seg, const uint8_t *options, uint32_t len);
/* Makes the payload `len` bytes long, which cuts it off or adds bytes of no meaning; false when there is no room. */
bool box_set_payload_len(struct packet *packet, struct box_segment *seg, uint32_t len);

/* Overwrites options with no-operations: those of a kind, 0 for MPTCP, 255 for all but the MSS (options.c). True when
 * there were any. */
bool box_strip(struct packet *packet, struct box_segment *seg, uint32_t kind);

/* Can the payload be cut in two behind its first `at` bytes? (splitter.c) */
bool box_may_cut(const struct box_segment *seg, uint32_t at);
/* Does so; both pieces carry the options of the whole. Returns the second; NULL without memory, and nothing is cut. */
struct packet *box_cut(struct hawser_buf_pool *pool, struct packet *packet, struct box_segment *seg, uint32_t at);

/* Sends on out of the other port than `in`. */
void box_pass_on(struct box *box, unsigned in, struct packet *packet, uint64_t now_ns);

/* A segment of its own making: addresses, and what of the header is chosen. The rest is filled in. */
struct box_forgery {
    const struct hawser_addr *src, *dst;
    uint8_t flags;
    uint16_t window;
    uint32_t seq, ack;
    const uint8_t *options; /* as for box_set_options(); NULL: none */
    uint32_t options_len;
};

/* NULL without memory. */
struct packet *box_forge(struct box *box, const struct box_forgery *forgery);

/* Steps through options: the kind at *at and its length, or false at the end. Start with both 0. */
bool box_next_option(const struct box_segment *seg, uint32_t *at, uint8_t *kind, uint32_t *len);

#define BOX_SACK_EDGES_MAX 10 /* numbers of four bytes in 40 bytes of options */

/* Where the sequence numbers in its SACK options are (RFC 2018 3); how many. */
unsigned box_sack_edges(const struct box_segment *seg, uint8_t *edges[BOX_SACK_EDGES_MAX]);

#endif
