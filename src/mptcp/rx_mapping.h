/*
 * Of one subflow, on the way in: its mappings, and payload that waits for one or for a checksum (RFC 8684 3.3.1). Knows
 * no subflow and no connection; what it holds is charged to an account that it is given.
 */
#ifndef HW_MPTCP_RX_MAPPING_H
#define HW_MPTCP_RX_MAPPING_H

#include "base/packer.h"
#include "mptcp/holdq.h"
#include "mptcp/rxmap.h"

/* Bytes of payload a subflow may hold whose mapping has not arrived: more does not come by accident. */
#define RX_UNMAPPED_MAX (UINT32_C(128) << 10)
/* And whose checksum has not, or to which bytes are missing. */
#define RX_HELD_MAX (UINT32_C(8) << 20)

/* Room for the whole of a mapping of which the first bytes have come: a checksum lets none of it up before the last.
 * The next one goes behind it, as long as somebody holds the buffer anyway. */
struct assembly {
    struct hawser_buf *buf;
    uint64_t ssn;        /* the mapping in progress, */
    uint32_t len;        /* 0: none is; */
    uint32_t at, used;   /* where it begins in the buffer, and how far that is taken */
    uint64_t begun_ns;   /* or later, when there was memory enough to let it go on */
    uint64_t touched_ns; /* some of it came */
};

struct rx_mapping {
    struct store *store;     /* borrowed */
    struct account *account; /* borrowed */
    struct rxmap maps;
    struct assembly *assembly; /* NULL: none */
    uint64_t swallowed_to; /* payload before was forgotten, for want of memory: a mapping is held whole or not at all */
    struct holdq held;     /* payload without its mapping, or waiting for a checksum */
    struct packer packer;  /* where what is held is copied to, if it is and no assembly takes it */
    uint64_t unmapped_since_ns; /* payload that came in order waits for its mapping; 0: none does */
};

void rx_mapping_init(struct rx_mapping *m, struct pool *pieces, struct store *store, struct account *account);
void rx_mapping_destroy(struct rx_mapping *m);

/* As rxmap_add() and rxmap_retire(). */
enum rxmap_result rx_mapping_add(struct rx_mapping *m, const struct mapping *map, bool allow_split);
void rx_mapping_retire(struct rx_mapping *m, uint64_t ssn);

/* The mapping that covers `ssn`, or NULL. */
static inline const struct mapping *rx_mapping_find(const struct rx_mapping *m, uint64_t ssn)
{
    return rxmap_find(&m->maps, ssn);
}

/* One past its last byte; UINT64_MAX for an infinite one. */
static inline uint64_t mapping_end(const struct mapping *map) { return map->len ? map->ssn + map->len : UINT64_MAX; }

enum rx_hold {
    RX_HELD,
    RX_NO_ROOM,  /* perhaps for some of it */
    RX_TOO_MUCH, /* it waits for a mapping, as more does than comes by accident */
};

/* Holds payload without a mapping. *taken says how many bytes from the front. */
enum rx_hold rx_mapping_hold_unmapped(struct rx_mapping *m, uint64_t ssn, struct slice bytes, uint32_t *taken);

/* Holds a part of the mapping that is ahead of its subflow: there is no hurry. */
enum rx_hold rx_mapping_hold_ahead(struct rx_mapping *m, const struct mapping *map, uint64_t ssn, struct slice part,
                                   uint32_t *taken);
/*
 * Holds the next part of the mapping, all of it or nothing. Its first part takes room for all, for once begun it must
 * never wait for memory that others hold who wait likewise.
 */
enum rx_hold rx_mapping_hold_next(struct rx_mapping *m, const struct mapping *map, uint64_t ssn, struct slice part,
                                  enum claim claim, uint64_t now_ns);
/* Has that first part come? */
bool rx_mapping_is_begun(const struct rx_mapping *m, const struct mapping *map);

/* Takes off the first piece that is held of the mapping, cut at its end; false when there is none. The reference is the
 * caller's now. */
bool rx_mapping_take(struct rx_mapping *m, const struct mapping *map, uint64_t *ssn, struct slice *bytes);

/* What was taken off, or the rest of it, is held again; false: a limit, and it is not. */
bool rx_mapping_put_back(struct rx_mapping *m, const struct mapping *map, uint64_t ssn, struct slice bytes);

/* The mapping is done with: nothing of it is to come, or was worth waiting for. */
void rx_mapping_finish(struct rx_mapping *m, const struct mapping *map);
/* Payload of a mapping that nobody waits for: its last bytes will not be missed by those that were held. */
void rx_mapping_swallow(struct rx_mapping *m, const struct mapping *map);
/* Is this byte one of those? */
bool rx_mapping_is_swallowed(const struct rx_mapping *m, uint64_t ssn);
/* Do the bytes held, which are all of the mapping, match its checksum? */
bool rx_mapping_is_proved(struct rx_mapping *m, const struct mapping *map);

/* Does payload wait, or did it? */
static inline bool rx_mapping_may_wait(const struct rx_mapping *m) { return m->held.count || m->unmapped_since_ns; }
/* Notes whether payload that came in order, before `next`, waits for its mapping. */
void rx_mapping_note_unmapped(struct rx_mapping *m, uint64_t next, uint64_t now_ns);
/* Since when it does; 0: it does not. */
uint64_t rx_mapping_unmapped_since(const struct rx_mapping *m);

/* When the mapping in progress has had its time; TIME_NEVER: none is. */
uint64_t rx_mapping_assembly_due(const struct rx_mapping *m);
/* It keeps a whole buffer waiting for its rest, and its pieces. When memory is scarce, and the connection holds more
 * than its share, not for ever: then false. */
bool rx_mapping_extend_assembly(struct rx_mapping *m, uint64_t now_ns);

/* Is anything held? */
bool rx_mapping_holds(const struct rx_mapping *m);
/* Forgets all that is held; nobody waits for the rest of its mappings any more. */
void rx_mapping_surrender(struct rx_mapping *m);
/* Forgets what is held at `next` or behind it; true when there was some. */
bool rx_mapping_forget_ahead(struct rx_mapping *m, uint64_t next);
/* Does any of these run? */
static inline bool rx_mapping_has_term(const struct rx_mapping *m)
{
    return m->unmapped_since_ns || (m->assembly && m->assembly->len);
}

void rx_mapping_give_back(struct rx_mapping *m);
/* Gives back memory that only waits for more. */
static inline void rx_mapping_idle(struct rx_mapping *m)
{
    bool waits = m->held.count == 0 && (m->assembly || m->packer.buf);
    if (waits || (m->maps.count == 0 && m->maps.maps))
        rx_mapping_give_back(m);
}
/* Nothing more will come. */
void rx_mapping_close(struct rx_mapping *m);

#endif
