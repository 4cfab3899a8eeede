#include "service/sysctls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYSCTL_INDEX_LEN = 10 };

void sysctls_choose_memory(char *path, size_t size, const char *name)
{
    const char *directory = getenv("RUNTIME_DIRECTORY"); /* systemd says it, where it is told to */
    struct stat space;
    if (!directory || !directory[0])
        directory = "/run/hawser";
    mkdir(directory, 0755); /* where that fails, the file says why */
    if (stat("/proc/self/ns/net", &space) != 0)
        space.st_ino = 0;
    snprintf(path, size, "%s/%s.%llu", directory, name, (unsigned long long)space.st_ino);
}

static int sysctl_open(const struct sysctls *s, const char *path, int flags)
{
    char name[PATH_MAX];
    snprintf(name, sizeof(name), "%s/%s", s->root, path);
    return open(name, flags | O_CLOEXEC);
}

static int sysctl_read(const struct sysctls *s, const char *path, char *value, size_t size)
{
    int fd = sysctl_open(s, path, O_RDONLY);
    if (fd < 0)
        return -errno;
    ssize_t len = read(fd, value, size - 1);
    int error = len < 0 ? -errno : 0;
    close(fd);
    if (error)
        return error;
    value[len] = '\0';
    value[strcspn(value, "\n")] = '\0';
    return 0;
}

bool sysctls_read(const struct sysctls *s, const char *path, char *value, size_t size)
{
    return sysctl_read(s, path, value, size) == 0;
}

static int sysctl_write(const struct sysctls *s, const char *path, const char *value)
{
    int fd = sysctl_open(s, path, O_WRONLY | O_TRUNC);
    if (fd < 0)
        return -errno;
    ssize_t len = (ssize_t)strlen(value);
    int error = 0;
    if (write(fd, len ? value : "\n", len ? (size_t)len : 1) < 0) /* nothing at all would change nothing */
        error = -errno;
    close(fd);
    return error;
}

static struct sysctl_place sysctl_place(const char *path)
{
    struct sysctl_place place = {.index = 0};
    char name[IFNAMSIZ];
    int begin = 0, end = 0;
    if (sscanf(path, "%*[^/]/conf/%n%15[^/]%n", &begin, name, &end) == 1)
        place.index = if_nametoindex(name); /* 0 for "all" and "default" */
    if (place.index)
        snprintf(place.path, sizeof(place.path), "%.*s*%s", begin, path, path + end);
    else
        snprintf(place.path, sizeof(place.path), "%s", path);
    return place;
}

/* The path by the interface's present name. Returns 0 or a negative errno, such as when it is gone. */
static int sysctl_path(const struct sysctl_place *place, char *path, size_t size)
{
    char name[IFNAMSIZ];
    int before = (int)strcspn(place->path, "*");
    if (place->index && !if_indextoname(place->index, name))
        return -errno;
    if (place->index)
        snprintf(path, size, "%.*s%s%s", before, place->path, name, place->path + before + 1);
    else
        snprintf(path, size, "%s", place->path);
    return 0;
}

/* What somebody else has changed since is his. False: it cannot be done now. */
static bool sysctl_put_back(const struct sysctls *s, const struct sysctl *entry)
{
    char path[SYSCTL_PATH_SIZE + IFNAMSIZ], now[SYSCTL_VALUE_SIZE];
    int error = sysctl_path(&entry->place, path, sizeof(path));
    if (!error)
        error = sysctl_read(s, path, now, sizeof(now));
    if (!error && strcmp(now, entry->ours) == 0)
        error = sysctl_write(s, path, entry->before);
    return error != -EMFILE && error != -ENFILE && error != -ENOMEM;
}

/* Whoever the service is when it runs may own the directory, and the next start is root's: no links are followed. */
static FILE *memory_create(const char *path)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static FILE *memory_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fdopen(fd, "r");
    close(fd);
    return NULL;
}

static void memory_beside(const struct sysctls *s, char *path, size_t size)
{
    snprintf(path, size, "%s.new", s->memory);
}

/* The memory: a line each of index, path, ours, before, with tabs between. Written beside and renamed: whole at any
 * time. */
static int sysctls_remember(const struct sysctls *s)
{
    char beside[PATH_MAX];
    if (!s->memory)
        return 0;
    if (s->count == 0)
        return unlink(s->memory) == 0 || errno == ENOENT ? 0 : -errno;
    memory_beside(s, beside, sizeof(beside));
    FILE *file = memory_create(beside);
    if (!file)
        return -errno;
    for (size_t i = 0; i < s->count; i++) {
        const struct sysctl *entry = &s->entries[i];
        fprintf(file, "%u\t%s\t%s\t%s\n", entry->place.index, entry->place.path, entry->ours, entry->before);
    }
    int error = ferror(file) ? -EIO : 0;
    if (fclose(file) != 0 && !error)
        error = -errno;
    if (!error && rename(beside, s->memory) != 0)
        error = -errno;
    return error;
}

static bool sysctl_parse(char *line, struct sysctl *entry)
{
    char *rest = line;
    line[strcspn(line, "\n")] = '\0';
    const char *index = strsep(&rest, "\t"), *path = strsep(&rest, "\t");
    const char *ours = strsep(&rest, "\t"), *before = strsep(&rest, "\t");
    if (!before || path[0] == '/' || strstr(path, "..") || strlen(path) >= sizeof(entry->place.path) ||
        strlen(ours) >= sizeof(entry->ours) || strlen(before) >= sizeof(entry->before))
        return false;
    entry->place.index = (unsigned)strtoul(index, NULL, 10);
    strcpy(entry->place.path, path);
    strcpy(entry->ours, ours);
    strcpy(entry->before, before);
    return !entry->place.index || strchr(path, '*');
}

static void sysctls_recall(struct sysctls *s)
{
    char line[SYSCTL_INDEX_LEN + SYSCTL_PATH_SIZE + 2 * SYSCTL_VALUE_SIZE + 5];
    FILE *file = s->memory ? memory_open(s->memory) : NULL;
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        struct sysctl entry;
        if (sysctl_parse(line, &entry))
            sysctl_put_back(s, &entry);
    }
    fclose(file);
}

/* Is there a place to remember in? 0 or a negative errno. */
static int sysctls_try_memory(const struct sysctls *s)
{
    char beside[PATH_MAX];
    if (!s->memory)
        return 0;
    memory_beside(s, beside, sizeof(beside));
    FILE *file = memory_create(beside);
    if (!file)
        return -errno;
    fclose(file);
    unlink(beside);
    return 0;
}

int sysctls_open(struct sysctls *s, const char *root, const char *memory)
{
    *s = (struct sysctls){.root = root, .memory = memory};
    s->entries = calloc(SYSCTLS_MAX, sizeof(*s->entries));
    if (!s->entries)
        return -ENOMEM;
    sysctls_recall(s);
    int error = sysctls_try_memory(s);
    if (!error)
        error = sysctls_remember(s);
    if (error) {
        free(s->entries);
        s->entries = NULL;
    }
    return error;
}

void sysctls_close(struct sysctls *s)
{
    sysctls_begin(s);
    sysctls_settle(s);
    free(s->entries);
}

void sysctls_sweep(const char *name)
{
    char memory[PATH_MAX];
    struct sysctls s;
    sysctls_choose_memory(memory, sizeof(memory), name);
    if (access(memory, F_OK) == 0 && sysctls_open(&s, "/proc/sys/net", memory) == 0)
        sysctls_close(&s);
}

static struct sysctl *sysctls_find(const struct sysctls *s, const struct sysctl_place *place)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct sysctl_place *of = &s->entries[i].place;
        if (of->index == place->index && strcmp(of->path, place->path) == 0)
            return &s->entries[i];
    }
    return NULL;
}

bool sysctls_already(const struct sysctls *s, const char *path, const char *value)
{
    char now[SYSCTL_VALUE_SIZE];
    const struct sysctl_place place = sysctl_place(path);
    const struct sysctl *entry = sysctls_find(s, &place);
    if (entry)
        return strcmp(entry->before, value) == 0;
    return sysctls_read(s, path, now, sizeof(now)) && strcmp(now, value) == 0;
}

void sysctls_forget(struct sysctls *s, const char *path)
{
    const struct sysctl_place place = sysctl_place(path);
    struct sysctl *entry = sysctls_find(s, &place);
    if (!entry)
        return;
    *entry = s->entries[--s->count];
    sysctls_remember(s);
}

void sysctls_begin(struct sysctls *s)
{
    for (size_t i = 0; i < s->count; i++)
        s->entries[i].wanted = false;
}

int sysctls_want(struct sysctls *s, const char *path, const char *value)
{
    char now[SYSCTL_VALUE_SIZE];
    const struct sysctl_place place = sysctl_place(path);
    struct sysctl *entry = sysctls_find(s, &place);
    int error = sysctl_read(s, path, now, sizeof(now));
    if (entry)
        entry->wanted = error != -ENOENT;
    if (error)
        return error;
    if (strcmp(now, value) == 0 || (entry && strcmp(now, entry->ours) == 0))
        return 0;
    const bool is_new = !entry;
    const struct sysctl was = is_new ? (struct sysctl){.wanted = true} : *entry;
    if (is_new) {
        if (s->count == SYSCTLS_MAX || strlen(path) >= SYSCTL_PATH_SIZE || strlen(value) >= SYSCTL_VALUE_SIZE)
            return -ENOSPC;
        entry = &s->entries[s->count++];
        *entry = (struct sysctl){.place = place, .wanted = true};
    }
    strcpy(entry->before, now); /* of one that we had already, somebody has changed it meanwhile */
    strcpy(entry->ours, value);
    error = sysctls_remember(s) ? -EIO : sysctl_write(s, path, value);
    if (error) {
        *entry = was;
        s->count -= is_new;
        sysctls_remember(s);
        return error;
    }
    /* The kernel may spell it otherwise, as it does with lists. */
    if (sysctls_read(s, path, now, sizeof(now)) && strcmp(now, value) != 0) {
        strcpy(entry->ours, now);
        error = sysctls_remember(s);
    }
    return error;
}

void sysctls_settle(struct sysctls *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->entries[i].wanted || !sysctl_put_back(s, &s->entries[i]))
            s->entries[kept++] = s->entries[i];
    }
    if (kept == s->count)
        return;
    s->count = kept;
    sysctls_remember(s);
}
