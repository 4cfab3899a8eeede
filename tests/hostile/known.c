#include "known.h"

#include <string.h>

static bool read_line(struct known *k, char *line)
{
    struct known_fault *fault = &k->faults[k->count];
    char name[KNOWN_NAME_MAX], bar[KNOWN_NAME_MAX];
    line[strcspn(line, "#")] = 0;
    int words = sscanf(line, "%47s %47s", name, bar);
    if (words <= 0)
        return true;
    for (unsigned i = 0; words == 2 && i < BAR_TOTAL; i++) {
        if (strcmp(bar, bar_name((enum bar)i)) != 0)
            continue;
        *fault = (struct known_fault){.bar = (enum bar)i};
        memcpy(fault->name, name, sizeof name);
        return ++k->count < KNOWN_MAX;
    }
    return false;
}

bool known_read(struct known *k, const char *path)
{
    char line[256];
    *k = (struct known){0};
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    bool right = true;
    while (right && fgets(line, sizeof line, file))
        right = read_line(k, line);
    fclose(file);
    if (!right)
        fprintf(stderr, "%s: not \"ATTACKER BAR\": %s\n", path, line);
    return right;
}

bool known_has(struct known *k, const char *name, enum bar bar)
{
    for (unsigned i = 0; i < k->count; i++)
        if (k->faults[i].bar == bar && strcmp(k->faults[i].name, name) == 0)
            return k->faults[i].seen = true;
    return false;
}
