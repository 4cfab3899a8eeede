#include "sim/explore_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "sim/judges/decode.h"

char *explored_story_text(const struct explored_story *story, char *text, size_t size)
{
    size_t len = 0;
    snprintf(text, size, "none");
    for (unsigned i = 0; i < story->count && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%u:%s", i ? "," : "", story->steps[i].number,
                                deviation_name(story->steps[i].what));
    return text;
}

bool explored_story_read(struct explored_story *story, const char *text)
{
    story->count = 0;
    if (strcmp(text, "none") == 0)
        return true;
    for (unsigned last = 0;; text++) { /* past the comma */
        char *colon;
        unsigned long number = strtoul(text, &colon, 10);
        if (*text < '0' || *text > '9' || *colon != ':' || number <= last || number > INT32_MAX ||
            story->count == EXPLORE_DEVIATIONS_MAX)
            return false;
        size_t len = strcspn(colon + 1, ",");
        enum deviation what = deviation_find(colon + 1, len);
        if (what == DEVIATIONS)
            return false;
        last = (unsigned)number;
        story->steps[story->count++] = (struct explored_step){last, what};
        text = colon + 1 + len;
        if (*text == '\0')
            return true;
    }
}

int explored_story_compare(const struct explored_story *a, const struct explored_story *b)
{
    int order = (int)a->count - (int)b->count;
    if (order == 0)
        order = (int)a->point - (int)b->point;
    for (unsigned i = 0; order == 0 && i < a->count; i++) {
        order = (int)a->steps[i].number - (int)b->steps[i].number;
        if (order == 0)
            order = (int)a->steps[i].what - (int)b->steps[i].what;
    }
    return order;
}

bool explored_story_holds(const struct explored_story *a, const struct explored_story *b)
{
    unsigned found = 0;
    for (unsigned i = 0; i < a->count && found < b->count; i++)
        found += a->steps[i].number == b->steps[found].number && a->steps[i].what == b->steps[found].what;
    return found == b->count && (b->count == 0 || a->point == b->point);
}

void print_explored_packet(const struct explored_packet *packet, enum deviation what)
{
    static const char *const subtypes[] = {"MP_CAPABLE", "MP_JOIN", "DSS",          "ADD_ADDR", "REMOVE_ADDR",
                                           "MP_PRIO",    "MP_FAIL", "MP_FASTCLOSE", "MP_TCPRST"};
    static const char *const flags[] = {"FIN", "SYN", "RST"};
    struct seen seen;
    uint64_t us = (packet->now_ns - WORLD_START_NS) / NS_PER_US;
    printf("  %2u  %3" PRIu64 ".%06" PRIu64 " s  %-8s %-8s", packet->number, us / 1000000, us % 1000000,
           gate_host(packet->path->end[packet->end])->node.name, gate_link(packet->path->end[packet->end])->name);
    if (decode(packet->packet->data, packet->packet->len, packet->packet->checksum_pending, &seen)) {
        for (unsigned i = 0; i < HW_ARRAY_LEN(flags); i++)
            if (seen.flags >> i & 1)
                printf(" %s", flags[i]);
        printf(" %" PRIu32 " bytes", seen.len);
        for (unsigned i = 0; i < HW_ARRAY_LEN(subtypes); i++)
            if (seen_has(&seen, i))
                printf(" %s%s", subtypes[i], i == SEEN_DSS && seen.dss.fin ? " with DATA_FIN" : "");
    }
    printf("%s%s\n", what ? "  <- " : "", what ? deviation_name(what) : "");
    fflush(stdout);
}
