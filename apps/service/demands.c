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

/* As the kernel has it. */
bool name_is_possible(const char *name)
{
    return *name && strlen(name) < NAME_SIZE && !strpbrk(name, "/: \t\n\v\f\r") && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

int names_add(struct name_list *names, const char *name)
{
    if (!name_is_possible(name))
        return -EINVAL;
    if (names_have(names, name))
        return 0;
    if (names->count == NAMES_MAX)
        return -ENOSPC;
    strcpy(names->at[names->count++], name);
    return 0;
}
