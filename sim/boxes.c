#include "sim/boxes.h"

#include <string.h>

static const struct box_kind kinds[] = {
    {NULL, NULL, NULL},
};

const struct box_kind *box_kinds(void) { return kinds; }

struct node *box_new(struct world *world, const char *name, const struct box_config *config)
{
    for (const struct box_kind *kind = kinds; kind->name; kind++)
        if (strcmp(kind->name, config->kind) == 0)
            return kind->make(world, name, config);
    return NULL;
}
