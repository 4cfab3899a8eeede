/* A script played, line by line. */
#ifndef HW_TESTS_SCRIPT_PLAY_H
#define HW_TESTS_SCRIPT_PLAY_H

#include "stage.h"

struct play {
    const struct story *story;
    struct stage *stage;
    bool v6;
    bool quiet;               /* without a report */
    int64_t value[NAMES_MAX]; /* of `$name` */
    bool known[NAMES_MAX];
    char wrong[512];  /* what went otherwise; empty: nothing */
    struct seen came; /* the segment that was none of those expected */
    bool has_come;
};

/* Plays all lines; false, and stdout has the report of what went otherwise. */
bool play_story(struct play *play);

bool play_wrong(struct play *play, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* match.c: is the `i`-th of those segments what left? Names that are new to the script get their values. */
bool match_segment(struct play *play, const struct spoken *spoken, unsigned i, const struct seen *seen);
/* What a number stands for where the script has to choose it itself; false: it is none of those. */
bool number_value(struct play *play, const struct number *number, const char *what, int64_t *out);

/* say.c: the peer says the line's segments. */
bool say_segment(struct play *play, const struct spoken *spoken);
/* call.c: the program does what the line says. */
bool call_host(struct play *play, enum deed deed, const struct call *call);

/* report.c */
void report_failure(const struct play *play, const struct story_line *line);
/* As a script would have it. */
void seen_text(const struct stage *stage, const struct seen *seen, char *text, size_t size);

#endif
