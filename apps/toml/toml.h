/* A TOML file as a plain tree. The parser is a C++ library; this is all that the rest sees of it. */
#ifndef HW_APPS_TOML_TOML_H
#define HW_APPS_TOML_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum toml_kind { TOML_TABLE, TOML_ARRAY, TOML_STRING, TOML_INTEGER, TOML_BOOLEAN, TOML_OTHER };

struct toml_node {
    enum toml_kind kind;
    unsigned line;                         /* 1 or more; 0: it came from the command line */
    const char *set;                       /* the words of --set, borrowed; NULL: from the file */
    char *key;                             /* in a table; NULL in an array */
    char *text;                            /* of a string */
    int64_t integer;                       /* also a boolean's 0 or 1 */
    struct toml_node *first, *last, *next; /* children in the order of the file; the next sibling */
};

/* Reads a file. NULL on failure, with the line (0: none) and one sentence about it. Freed with toml_free(). */
struct toml_node *toml_read(const char *path, unsigned *line, char *why, size_t why_size);
void toml_free(struct toml_node *node);

/* Limits of a file. Nesting is bounded before the parser sees it, because the parser recurses. */
#define TOML_FILE_MAX 4000000u
#define TOML_BRACKETS_MAX 32u  /* open at a time */
#define TOML_LINE_DOTS_MAX 64u /* outside strings: parts of a key */

/* The whole file with a closing 0, freed with free(). NULL on failure, with one sentence about it. */
char *toml_load(const char *path, size_t *len, char *why, size_t why_size);

/* The first line that nests too deep, or 0. */
unsigned toml_too_deep(const char *text, size_t len);

/* A new child at the end; `key` NULL in an array. NULL without memory. */
struct toml_node *toml_add(struct toml_node *parent, enum toml_kind kind, unsigned line, const char *key);

/* The child of that key, or NULL. */
struct toml_node *toml_get(const struct toml_node *table, const char *key);

#ifdef __cplusplus
}
#endif

#endif
