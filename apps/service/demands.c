#include "service/demands.h"

#include <errno.h>
#include <string.h>

bool names_have(const struct name_list *names, const char *name)
{
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->at[i], name) == 0)
            return true;
    return false;
}

int names_add(struct name_list *names, const char *name)
{
    if (!*name || strlen(name) >= NAME_SIZE)
        return -EINVAL;
    if (names_have(names, name))
        return 0;
    if (names->count == NAMES_MAX)
        return -ENOSPC;
    strcpy(names->at[names->count++], name);
    return 0;
}
