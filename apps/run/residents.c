#include "run/residents.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Each namespace has files of its own beneath /proc/net. */
static ino_t home_of(const char *process)
{
    char path[64];
    struct stat at;
    snprintf(path, sizeof(path), "/proc/%.20s/net/dev", process);
    return stat(path, &at) == 0 ? at.st_ino : 0;
}

ino_t residents_home(void) { return home_of("self"); }

pid_t residents_find(ino_t home)
{
    pid_t found = 0;
    DIR *all = opendir("/proc");
    for (struct dirent *it; !found && all && (it = readdir(all));) {
        pid_t pid = (pid_t)strtol(it->d_name, NULL, 10);
        if (pid > 0 && home_of(it->d_name) == home)
            found = pid;
    }
    if (all)
        closedir(all);
    return found;
}
