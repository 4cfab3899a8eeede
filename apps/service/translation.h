/* The packet filter's table: what leaves from inside addresses is translated to the uplink's own, or does not leave. */
#ifndef HW_APPS_SERVICE_TRANSLATION_H
#define HW_APPS_SERVICE_TRANSLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/inside.h"
#include "service/uplink.h"

#define TRANSLATION_TABLE "hawser_uplinks"

struct translation_rules {
    const char *device; /* of the stack */
    struct inside inside;
    uint16_t first_port, last_port; /* that translated connections are given */
    const struct uplink *uplinks;
    size_t count;
    const struct near_link *near;
    size_t near_count;
    const uint16_t *published; /* TCP ports at which connections from outside are the stack's */
    size_t published_count;
    /* By the uplink's place: whether the host routed for others before, so that what else it forwards is left alone. */
    const bool *routes_already;
};

struct translation;

/*
 * Takes the table; the kernel gives it up when this process ends, however it ends, and meanwhile lets nobody else
 * change or flush it. Returns 0 and *out, or a negative errno and in `why` one line that says what to do: -EBUSY when
 * another program holds it, -EINVAL before Linux 5.12, where tables have no owner.
 */
int translation_open(struct translation **out, char *why, size_t why_size);

/* Replaces all rules at once, or none. Returns 0 or a negative errno, and `why` likewise. */
int translation_apply(struct translation *t, const struct translation_rules *rules, char *why, size_t why_size);

/* Takes the table away. */
void translation_close(struct translation *t);

/* What firewall_hinders() says. */
bool translation_hindered(struct translation *t, char *chains, size_t size);

/* The commands of translation_apply(), to be freed; NULL without memory. */
char *translation_text(const struct translation_rules *rules);

#endif
