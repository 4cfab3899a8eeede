/*
 * Plays segment scripts (README.md) against the stack, each over IPv4 and over IPv6.
 *
 * usage: segment_scripts [--known FILE] SCRIPT...
 *
 * FILE lists scripts of which the stack does not do yet what they say, each with the reason: one that does fails.
 * Returns 0; 1: a script failed, or a known failure does not; 2: a script cannot be read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "play.h"

enum result { PASSED, FAILED, UNREADABLE };

/* The MSS by which a full segment of the host's carries what the facts say, whatever options it has; as the host itself
 * tells. 0: the way to the connection is no good, which the script will tell. */
static uint32_t find_mss(const struct story *story, struct stage *stage, bool v6)
{
    struct story trial = *story;
    struct play play = {.story = &trial, .stage = stage, .v6 = v6, .quiet = true};
    struct hawser_subflow_info info = {.size = sizeof info};
    uint32_t size = trial.facts.segment_bytes, mss = size;
    trial.count = trial.begins;
    trial.facts.mss = mss;
    if (stage_open(stage, &trial.facts, v6) && play_story(&play) && stage->conn &&
        hawser_subflow_get_info(stage->conn, 0, &info) == 0 && info.mss_bytes)
        mss += size - info.mss_bytes;
    stage_close(stage);
    return mss;
}

static enum result play_once(const struct story *story, bool v6)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct story own = *story;
    struct play play = {.story = &own, .stage = stage, .v6 = v6};
    if (own.facts.mss == 0 && own.facts.state >= STORY_ESTABLISHED)
        own.facts.mss = find_mss(story, stage, v6);
    else if (own.facts.mss == 0)
        own.facts.mss = own.facts.segment_bytes;
    bool good = stage_open(stage, &own.facts, v6) || (printf("%s: there can be no such host\n", own.path), false);
    good = good && play_story(&play);
    if (!stage_close(stage) && good) {
        printf("%s: not all memory was freed\n", own.path);
        good = false;
    }
    free(stage);
    return good ? PASSED : FAILED;
}

static enum result play_file(const char *path)
{
    struct story *story = malloc(sizeof *story);
    enum result result = PASSED;
    if (!story_read(story, path))
        result = UNREADABLE;
    if (result == PASSED && !story->facts.only_v6)
        result = play_once(story, false);
    if (result == PASSED && !story->facts.only_v4)
        result = play_once(story, true);
    free(story);
    return result;
}

/* Is the script in the list, "NAME: why"? */
static bool is_known(const char *list, const char *path, char *why, size_t size)
{
    char line[256];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t len = strcspn(name, ".");
    bool found = false;
    FILE *file = list ? fopen(list, "r") : NULL;
    while (file && !found && fgets(line, sizeof line, file)) {
        found = strncmp(line, name, len) == 0 && line[len] == ':';
        if (found)
            snprintf(why, size, "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
    }
    if (file)
        fclose(file);
    return found;
}

int main(int argc, char **argv)
{
    const char *list = NULL;
    char why[256];
    enum result worst = PASSED;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--known") == 0) {
        list = argv[2];
        first = 3;
    }
    if (first >= argc) {
        fprintf(stderr, "usage: segment_scripts [--known FILE] SCRIPT...\n");
        return UNREADABLE;
    }
    for (int i = first; i < argc; i++) {
        enum result result = play_file(argv[i]);
        if (result != UNREADABLE && is_known(list, argv[i], why, sizeof why)) {
            if (result == PASSED)
                printf("%s: does not fail any more: take it off the list of known failures\n", argv[i]);
            else
                printf("%s: fails as is known:%s\n", argv[i], why);
            result = result == PASSED ? FAILED : PASSED;
        }
        worst = result > worst ? result : worst;
    }
    return (int)worst;
}
