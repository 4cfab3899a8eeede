/* Reading a TOML file: tables of fields, so that every key is known by name, checked by one rule, and explained. */
#ifndef HW_APPS_TOML_READER_H
#define HW_APPS_TOML_READER_H

#include "base/compiler.h"
#include "toml/toml.h"

struct reader {
    const char *path; /* of the file */
    void *of;         /* what is read, for parts that need to know more of it */
    char *why;        /* the first complaint, with file and line */
    size_t why_size;
    bool failed;
};

/* Notes the first complaint about `node`; returns false. About a table it also names what --set changed in it. */
bool reader_says(struct reader *r, const struct toml_node *node, const char *format, ...) HW_PRINTF(3, 4);

struct field {
    const char *key;
    /* Reads the node into `out`, the object plus `offset`. Complains by itself when `allowed` is NULL. */
    bool (*read)(struct reader *r, const struct toml_node *node, void *out);
    size_t offset;
    const char *allowed; /* what its values look like */
};

/* Reads every child of `table` by its field; complains of unknown keys. Keys in `others` (ended by NULL) are left to
 * the caller. False after a complaint. */
bool read_fields(struct reader *r, const struct toml_node *table, const struct field *fields, size_t count,
                 const char *const *others, void *object);

/* ---- readers of values (reader_values.c) ---- */
bool read_name(struct reader *r, const struct toml_node *node, void *out);     /* char[32] at least */
bool read_text(struct reader *r, const struct toml_node *node, void *out);     /* const char *, into the tree */
bool read_kind(struct reader *r, const struct toml_node *node, void *out);     /* char[24] */
bool read_rate(struct reader *r, const struct toml_node *node, void *out);     /* uint64_t, bits a second */
bool read_duration(struct reader *r, const struct toml_node *node, void *out); /* uint64_t, ns */
bool read_bytes(struct reader *r, const struct toml_node *node, void *out);    /* uint64_t */
bool read_bytes32(struct reader *r, const struct toml_node *node, void *out);  /* uint32_t */
bool read_count(struct reader *r, const struct toml_node *node, void *out);    /* uint32_t */
bool read_number(struct reader *r, const struct toml_node *node, void *out);   /* uint64_t */
bool read_share(struct reader *r, const struct toml_node *node, void *out);    /* uint32_t, millionths */
bool read_flag(struct reader *r, const struct toml_node *node, void *out);     /* bool */
bool read_address(struct reader *r, const struct toml_node *node, void *out);  /* struct hawser_addr, no port */
bool read_endpoint(struct reader *r, const struct toml_node *node, void *out); /* struct hawser_addr with port */

#endif
