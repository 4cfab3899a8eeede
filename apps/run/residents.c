#include "run/residents.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool is_in(pid_t pid, ino_t namespace)
{
    char path[64];
    struct stat at;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
    return stat(path, &at) == 0 && at.st_ino == namespace;
}

pid_t residents_find(ino_t namespace)
{
    pid_t found = 0;
    DIR *all = opendir("/proc");
    for (struct dirent *it; !found && all && (it = readdir(all));) {
        pid_t pid = (pid_t)strtol(it->d_name, NULL, 10);
        if (pid > 0 && is_in(pid, namespace))
            found = pid;
    }
    if (all)
        closedir(all);
    return found;
}
