/* Reads capture files back, for the tests of what writes them. */
#ifndef HW_TESTS_LINK_CAPTURES_H
#define HW_TESTS_LINK_CAPTURES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file name in a fresh directory of its own. */
struct capture_place {
    char dir[32];
    char path[64];
};

static inline void capture_place_make(struct capture_place *place)
{
    strcpy(place->dir, "/tmp/hawser-test-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->path, sizeof(place->path), "%s/a.pcap", place->dir);
}

static inline void capture_place_remove(const struct capture_place *place)
{
    unlink(place->path);
    assert_int_equal(rmdir(place->dir), 0);
}

struct capture_record {
    uint64_t at_ns; /* wall clock */
    uint32_t len;
    uint8_t *bytes;
};

struct capture {
    struct capture_record *records;
    size_t count;
};

/* Reads a whole nanosecond pcap of raw IP packets; fails the test on anything else, a cut record included. */
static inline struct capture capture_read(const char *path)
{
    struct capture c = {0};
    uint32_t header[6], record[4];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(header, 1, sizeof(header), file), sizeof(header));
    assert_int_equal(header[0], 0xa1b23c4d);
    assert_int_equal(header[5], 101);
    for (;;) {
        size_t n = fread(record, 1, sizeof(record), file);
        if (n == 0)
            break;
        assert_int_equal(n, sizeof(record));
        assert_true(record[1] < 1000000000 && record[2] == record[3] && record[2] <= header[4]);
        c.records = realloc(c.records, (c.count + 1) * sizeof(*c.records));
        struct capture_record *r = &c.records[c.count++];
        r->at_ns = record[0] * UINT64_C(1000000000) + record[1];
        r->len = record[2];
        r->bytes = malloc(r->len + 1);
        assert_int_equal(fread(r->bytes, 1, r->len, file), r->len);
    }
    fclose(file);
    return c;
}

static inline void capture_free(struct capture *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->records[i].bytes);
    free(c->records);
}

#endif
