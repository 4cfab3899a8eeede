/*
 * Records of TLS (RFC 8446 5.1) out of an end, one at a time, and each when it is whole: what is to be read of it can
 * be read at once, and whoever reads keeps nothing of one that is not.
 */
#ifndef HW_APPS_SERVICE_TLS_RECORDS_H
#define HW_APPS_SERVICE_TLS_RECORDS_H

#include "service/end.h"

enum {
    TLS_RECORD_BYTES = 16384, /* of the stream, in one record */
    TLS_HEADER_BYTES = 5,
    TLS_RECORD_MAX = TLS_HEADER_BYTES + TLS_RECORD_BYTES + 256, /* RFC 8446 5.2 */
    /* Of all ends of one side: taken from below, not read yet. Beyond that bytes are copied from where they lie, so
     * that they are charged to whom they belong. */
    TLS_TAKEN_MAX = 16 * 1024 * 1024,
};

/* What all of one side have in common. */
struct tls_intake {
    uint64_t taken_bytes;   /* held now */
    uint64_t taken_max;     /* TLS_TAKEN_MAX; less is for tests */
    uint64_t untaken_bytes; /* so far, that were copied from where they lay */
};

struct tls_records {
    struct end below;
    struct tls_intake *intake;
    struct hawser_slice in; /* from below, not read yet */
    uint8_t *part;          /* a record that did not come in one piece, as far as it has come; NULL: none */
    uint32_t part_at, part_len;
    uint32_t ready; /* bytes of a whole record that are left, in `part` or else at the front of `in` */
};

/* The end below stays the caller's. */
void tls_records_init(struct tls_records *records, struct end below, struct tls_intake *intake);
void tls_records_destroy(struct tls_records *records);

/* Is there a record, or the rest of one? Returns 1; 0: the end below is over; -EAGAIN, when there is something new
 * below; -ENOMEM; or the error of the end below. What is no record's header counts as a record of five bytes. */
ssize_t tls_records_next(struct tls_records *records);

/* Reads up to `len` bytes of it. Returns how many. */
size_t tls_records_read(struct tls_records *records, void *out, size_t len);

/* Bytes that are held for it, and that the end below is not charged for any more. */
size_t tls_records_held(const struct tls_records *records);

#endif
