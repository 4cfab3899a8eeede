/* The path managers that come with the library. */
#include <string.h>

#include "base/compiler.h"
#include "mptcp/pm_cover.h"

const struct hawser_path_manager *hawser_path_manager_find(const char *name)
{
    static const struct hawser_path_manager *const all[] = {&pm_default, &pm_fullmesh, &pm_ports, &pm_backup,
                                                            &pm_on_demand};
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
