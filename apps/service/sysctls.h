/* Values of /proc/sys/net that are changed for a time, and what they were before. */
#ifndef HW_APPS_SERVICE_SYSCTLS_H
#define HW_APPS_SERVICE_SYSCTLS_H

#include <stdbool.h>
#include <stddef.h>

enum { SYSCTLS_MAX = 128, SYSCTL_PATH_SIZE = 96, SYSCTL_VALUE_SIZE = 512 };

/* What a path leads to. An interface may be renamed, and its settings with it, and others may get its name: by its
 * index it is known still. */
struct sysctl_place {
    unsigned index;              /* of the interface; 0: it is of none */
    char path[SYSCTL_PATH_SIZE]; /* an asterisk stands for the interface's name */
};

struct sysctl {
    struct sysctl_place place;
    char ours[SYSCTL_VALUE_SIZE], before[SYSCTL_VALUE_SIZE];
    bool wanted;
};

struct sysctls {
    const char *root, *memory;
    struct sysctl *entries; /* SYSCTLS_MAX of them */
    size_t count;
};

/* The name of such a file, of this network namespace and no other, for one who changes values: "DIRECTORY/NAME.INODE".
 * The directory is $RUNTIME_DIRECTORY, or else /run/hawser. */
void sysctls_choose_memory(char *path, size_t size, const char *name);

/*
 * `root`: "/proc/sys/net", outlives `s`, as does `memory`: a file that holds what is changed, so that a start after a
 * sudden end can put it back, which is done here; NULL: none is kept. Returns 0 or a negative errno.
 */
int sysctls_open(struct sysctls *s, const char *root, const char *memory);

/* Puts back what a sudden end has left in /proc/sys/net by the memory of that name. */
void sysctls_sweep(const char *name);

/* Puts all back and frees. */
void sysctls_close(struct sysctls *s);

/* Reads a value, without the line's end. False where there is none. */
bool sysctls_read(const struct sysctls *s, const char *path, char *value, size_t size);

/* Whether it is `value` already, and not by our doing. */
bool sysctls_already(const struct sysctls *s, const char *path, const char *value);

/* Leaves a value as it is, for good: it is somebody else's now. */
void sysctls_forget(struct sysctls *s, const char *path);

/* A round: what is not wanted between begin and settle is put back, where it is still as we left it: to what it was, or
 * to what somebody else made of it before it was wanted anew. */
void sysctls_begin(struct sysctls *s);
int sysctls_want(struct sysctls *s, const char *path,
                 const char *value); /* 0, -ENOENT: there is none, -EIO: no memory of it, ... */
void sysctls_settle(struct sysctls *s);

#endif
