/* A line of a script, word by word, and what words of numbers, times and errors mean. */
#ifndef HW_TESTS_SCRIPT_WORDS_H
#define HW_TESTS_SCRIPT_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum { LINE_BYTES = 512, WORDS_MAX = 96, NAMES_MAX = 24, NAME_BYTES = 24 };

struct words {
    char text[LINE_BYTES]; /* cut into words */
    char *word[WORDS_MAX];
    unsigned count, at;
    bool indented;
    char wrong[256]; /* what is wrong with the line, the first thing; empty: nothing */
};

/* `$name`, in the order of their first appearance. */
struct names {
    char name[NAMES_MAX][NAME_BYTES];
    unsigned count;
};

enum number_kind {
    NUMBER_UNSAID,
    NUMBER_ANY,
    NUMBER_IS, /* `low` to `high`, added to what `name` stands for */
};

struct number {
    enum number_kind kind;
    int64_t low, high;
    int name; /* index in struct names, or -1 */
};

/* False, and `wrong` says why, as by all functions here. */
bool words_cut(struct words *w, const char *line);
bool words_wrong(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The next word, which is taken or left where it is; NULL at the end. */
const char *words_next(struct words *w);
const char *words_peek(const struct words *w);
/* Takes it if it is this one. */
bool words_take(struct words *w, const char *word);
bool words_end(struct words *w);

/* `what` names what is missing where there is no such word. */
bool words_count(struct words *w, const char *what, uint32_t *out);
bool words_time(struct words *w, const char *what, uint64_t *out_ns);
bool words_number(struct words *w, struct names *names, const char *what, struct number *out);
/* Likewise of any text. */
bool text_time(const char *text, uint64_t *out_ns);
bool text_number(const char *text, struct names *names, struct number *out);
/* "EAGAIN" and its like; 0: there is none of that name. */
int text_errno(const char *text);
const char *errno_text(int error);
/* Index of a name, a new one if there is none; -1: there are too many, or it is none. */
int names_find(struct names *names, const char *name);

static inline struct number number_of(int64_t value) { return (struct number){NUMBER_IS, value, value, -1}; }

#endif
