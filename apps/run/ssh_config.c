#include "run/ssh_config.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"

#define SYSTEM_FOLDER "/etc/ssh"
#define USER_FOLDER "/.ssh" /* beneath the home */

/* Where the copies are made, for a moment: a folder that is everywhere, and in which nobody has a configuration. */
#define WORKSHOP "/proc"

struct file {
    char *path, *text;
    size_t len;
    const char *folder; /* where files are that it includes by a relative path */
    bool checked;       /* ssh looks whose it is */
    bool is_roots;
};

struct ssh_config {
    const char *home;
    char user_folder[PATH_MAX];
    struct file files[SSH_CONFIG_FILES];
    size_t count;
};

/* False where there is nothing to be read, or more than a configuration has. */
static bool read_file(struct file *file)
{
    struct stat at;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool fits = fd >= 0 && fstat(fd, &at) == 0 && S_ISREG(at.st_mode) && at.st_size <= SSH_CONFIG_BYTES;
    file->text = fits ? malloc((size_t)at.st_size + 1) : NULL;
    ssize_t n = file->text ? read(fd, file->text, (size_t)at.st_size) : -1;
    if (n >= 0) {
        file->text[n] = '\0';
        file->len = (size_t)n;
        file->is_roots = at.st_uid == 0 && !(at.st_mode & (S_IWGRP | S_IWOTH)); /* others ssh does not believe either */
    }
    if (fd >= 0)
        close(fd);
    return n >= 0;
}

static void free_file(struct file *file)
{
    free(file->path);
    free(file->text);
}

static void add(struct ssh_config *c, const char *path, const char *folder, bool checked)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->files[i].path, path) == 0)
            return;
    if (c->count == SSH_CONFIG_FILES)
        return;
    struct file file = {.path = strdup(path), .folder = folder, .checked = checked};
    if (file.path && read_file(&file))
        c->files[c->count++] = file;
    else
        free_file(&file);
}

static void add_matching(struct ssh_config *c, const char *word, const char *folder)
{
    char pattern[PATH_MAX];
    glob_t found;
    if (word[0] == '/')
        snprintf(pattern, sizeof(pattern), "%s", word);
    else if (strncmp(word, "~/", 2) == 0)
        snprintf(pattern, sizeof(pattern), "%s%s", c->home, word + 1);
    else
        snprintf(pattern, sizeof(pattern), "%s/%s", folder, word);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        add(c, found.gl_pathv[i], folder, true);
    globfree(&found);
}

/* What its lines of "Include" name. */
static void add_included(struct ssh_config *c, const struct file *file)
{
    static const char between[] = " \t\r=\"";
    char line[PATH_MAX], *rest;
    for (const char *at = file->text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
        const char *word = strtok_r(line, between, &rest);
        if (!word || strcasecmp(word, "Include") != 0)
            continue;
        while ((word = strtok_r(NULL, between, &rest)))
            add_matching(c, word, file->folder);
    }
}

struct ssh_config *ssh_config_remember(void)
{
    struct ssh_config *c = calloc(1, sizeof(*c));
    char user_file[PATH_MAX];
    if (!c)
        return NULL;
    c->home = getenv("HOME");
    if (!c->home)
        c->home = "";
    snprintf(c->user_folder, sizeof(c->user_folder), "%s" USER_FOLDER, c->home);
    snprintf(user_file, sizeof(user_file), "%s" USER_FOLDER "/config", c->home);
    add(c, user_file, c->user_folder, true);
    add(c, SYSTEM_FOLDER "/ssh_config", SYSTEM_FOLDER, false);
    add(c, "/usr" SYSTEM_FOLDER "/ssh_config", SYSTEM_FOLDER, false); /* a distribution's, as openSUSE has it */
    for (size_t i = 0; i < c->count; i++)                             /* while that becomes more */
        add_included(c, &c->files[i]);
    return c;
}

static bool wants_copy(const struct file *file)
{
    struct stat at;
    return file->checked && file->is_roots && stat(file->path, &at) == 0 && at.st_uid != 0;
}

static void put_copy(const struct file *file, size_t number)
{
    char path[64];
    snprintf(path, sizeof(path), WORKSHOP "/%zu", number);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    bool whole = fchmod(fd, 0644) == 0 && write(fd, file->text, file->len) == (ssize_t)file->len;
    close(fd);
    if (whole)
        mount(path, file->path, NULL, MS_BIND, NULL);
}

void ssh_config_restore(struct ssh_config *c)
{
    bool wanted[SSH_CONFIG_FILES] = {false}, any = false;
    for (size_t i = 0; c && i < c->count; i++)
        any |= wanted[i] = wants_copy(&c->files[i]);
    if (!any || unshare(CLONE_NEWNS) != 0 ||
        mount("hawser", WORKSHOP, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=8m,mode=755") != 0)
        return;
    for (size_t i = 0; i < c->count; i++)
        if (wanted[i])
            put_copy(&c->files[i], i);
    umount2(WORKSHOP, MNT_DETACH); /* the copies stay where they were put */
}

void ssh_config_free(struct ssh_config *c)
{
    for (size_t i = 0; c && i < c->count; i++)
        free_file(&c->files[i]);
    free(c);
}
