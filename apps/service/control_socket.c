#include "service/control_socket.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/control.h"

enum { CONTROL_BACKLOG = 64, CONTROL_PATIENCE_S = 15, CONTROL_PROBE_S = 3 };

const char *control_of_environment(void)
{
    const char *set = getenv("HAWSER_CONTROL");
    return set && *set ? set : NULL;
}

const char *control_path(const char *option)
{
    const char *set = option ? option : control_of_environment();
    return set ? set : CONTROL_PATH;
}

bool control_is_none(const char *path) { return strcmp(path, "none") == 0; }

static int set_address(struct sockaddr_un *addr, const char *path, char *why, size_t why_size)
{
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) == 0 || strlen(path) >= sizeof addr->sun_path) {
        snprintf(why, why_size, "control socket \"%s\": a path of 1 to %zu characters is needed", path,
                 sizeof addr->sun_path - 1);
        return -EINVAL;
    }
    snprintf(addr->sun_path, sizeof addr->sun_path, "%s", path);
    return 0;
}

/* Any other one would stay for good: who made it is no longer root when the service ends. */
static void make_folder(const char *path)
{
    if (strncmp(path, CONTROL_FOLDER, sizeof CONTROL_FOLDER - 1) == 0)
        mkdir(CONTROL_FOLDER, 0755); /* if that cannot be, bind() says so */
}

/* Does somebody listen there? */
static bool is_served(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served = fd >= 0 && (connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return served;
}

static bool is_socket(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int bind_anew(int fd, const struct sockaddr_un *addr)
{
    if (is_socket(addr->sun_path) && !is_served(addr))
        unlink(addr->sun_path);
    mode_t mask = umask(0177); /* nobody comes in before the group is right */
    int error = bind(fd, (const struct sockaddr *)addr, sizeof *addr) == 0 ? 0 : -errno;
    umask(mask);
    return error;
}

/* Lets the group in. Returns 0 or a negative errno. */
static int admit(const char *path, const char *group)
{
    const struct group *found = getgrnam(group ? group : CONTROL_GROUP);
    if (!found)
        return group ? -ENOENT : 0;
    if (chown(path, (uid_t)-1, found->gr_gid) != 0)
        return group ? -errno : 0; /* in a namespace of users there may be no such group */
    return chmod(path, 0660) == 0 ? 0 : -errno;
}

int control_listen(const char *path, const char *group, char *why, size_t why_size)
{
    struct sockaddr_un addr;
    int error = set_address(&addr, path, why, why_size);
    if (error)
        return error;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return snprintf(why, why_size, "no control socket: %s", strerror(errno)), -errno;
    make_folder(path);
    error = bind_anew(fd, &addr);
    if (error == -EADDRINUSE)
        snprintf(why, why_size,
                 is_socket(path) ? "a service answers at %s already: use it, or end it by hawser down"
                                 : "%s is there and is no socket: remove it, or name another --control",
                 path);
    else if (error == -ENOENT)
        snprintf(why, why_size, "cannot listen at %s: its directory is missing: make it, or name another --control",
                 path);
    else if (error)
        snprintf(why, why_size, "cannot listen at %s: %s: be root, or name another --control", path, strerror(-error));
    else if ((error = admit(path, group)) != 0)
        snprintf(why, why_size, "the group \"%s\" of the control socket: %s", group ? group : CONTROL_GROUP,
                 error == -ENOENT ? "there is none: make it by groupadd" : strerror(-error));
    else if (listen(fd, CONTROL_BACKLOG) == 0)
        return fd;
    else
        snprintf(why, why_size, "cannot listen at %s: %s", path, strerror(errno)), error = -errno;
    if (error != -EADDRINUSE)
        control_unlink(path);
    close(fd);
    return error;
}

void control_unlink(const char *path)
{
    if (is_socket(path))
        unlink(path);
}

pid_t control_process(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 ? who.pid : 0;
}

static void tell_stuck(int fd, char *why, size_t why_size)
{
    pid_t process = control_process(fd);
    if (process > 0)
        snprintf(why, why_size, "the service (process %d) does not answer: kill -9 %d, then hawser up", process,
                 process);
    else
        snprintf(why, why_size, "the service does not answer: kill -9 its process, then hawser up");
}

/* Who may come in is the socket's group. */
static void tell_shut(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        snprintf(why, why_size, "%s: the way there is shut: be root, or name another --control", path);
        return;
    }
    const struct group *group = getgrgid(st.st_gid);
    if (st.st_gid == 0 || !(st.st_mode & S_IWGRP))
        snprintf(why, why_size, "%s is for root alone: be root, or have the service begun with --group", path);
    else if (group)
        snprintf(why, why_size, "%s is for root and the group %s: join it, and log in again", path, group->gr_name);
    else
        snprintf(why, why_size, "%s is for root and the group %u, which has no name here: be root", path, st.st_gid);
}

/* Whatever is done with it ends within that time, or fails with EAGAIN. */
static int open_patient(time_t patience_s)
{
    const struct timeval patience = {.tv_sec = patience_s};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    return fd;
}

static int connect_to(int fd, const struct sockaddr_un *addr)
{
    while (connect(fd, (const struct sockaddr *)addr, sizeof *addr) != 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

int control_connect(const char *path, char *why, size_t why_size)
{
    struct sockaddr_un addr;
    if (control_is_none(path)) {
        snprintf(
            why, why_size,
            "HAWSER_CONTROL or --control says \"none\": a service without a socket cannot be asked: name the path of "
            "one that has it");
        return -ENOENT;
    }
    int error = set_address(&addr, path, why, why_size);
    if (error)
        return error;
    int fd = open_patient(CONTROL_PATIENCE_S);
    error = fd < 0 ? -errno : connect_to(fd, &addr);
    if (!error)
        return fd;
    if (error == -EAGAIN)
        tell_stuck(fd, why, why_size);
    else if (error == -ENOENT || error == -ECONNREFUSED || error == -ENOTDIR)
        snprintf(why, why_size, "no service answers at %s: start it by hawser up, as root", path);
    else if (error == -EACCES || error == -EPERM)
        tell_shut(path, why, why_size);
    else
        snprintf(why, why_size, "cannot reach the service at %s: %s", path, strerror(-error));
    if (fd >= 0)
        close(fd);
    return error;
}

static int send_request(int fd, const json_t *request, const int *descriptors, size_t count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(CONTROL_DESCRIPTORS * sizeof(int))];
    } ancillary = {.bytes = {0}};
    char *text = json_dumps(request, JSON_COMPACT);
    if (!text || count > CONTROL_DESCRIPTORS) {
        free(text);
        return text ? -EINVAL : -ENOMEM;
    }
    struct iovec iov = {text, strlen(text)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        message.msg_control = &ancillary;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(c), descriptors, count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    int error = sent < 0 ? -errno : 0;
    free(text);
    return error;
}

/* As one line without orders to a terminal. */
static void quote(char *why, size_t why_size, const char *text)
{
    snprintf(why, why_size, "%s", text);
    for (char *at = why; *at; at++) {
        if (iscntrl((unsigned char)*at))
            *at = ' ';
    }
}

/* Returns its length, 0 when the service has ended, or a negative errno. */
static ssize_t receive_record(int fd, char *buffer, int *passed)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } ancillary;
    struct iovec iov = {buffer, CONTROL_MESSAGE_MAX};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (passed) {
        *passed = -1;
        message.msg_control = &ancillary;
        message.msg_controllen = sizeof ancillary;
    }
    ssize_t n;
    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? 0 : -errno;
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof *passed))
        memcpy(passed, CMSG_DATA(c), sizeof *passed);
    return n;
}

/* Does it answer somebody else? To be turned away is an answer, too. */
static bool answers_others(const char *path, char *buffer)
{
    struct sockaddr_un addr;
    char why[128];
    json_t *request = json_pack("{s:i,s:s}", "hawser", CONTROL_VERSION, "do", "status");
    int fd = open_patient(CONTROL_PROBE_S);
    bool answers = false;
    if (fd >= 0 && set_address(&addr, path, why, sizeof why) == 0 && connect_to(fd, &addr) == 0) {
        send_request(fd, request, NULL, 0);
        answers = receive_record(fd, buffer, NULL) > 0;
    }
    if (fd >= 0)
        close(fd);
    json_decref(request);
    return answers;
}

static json_t *receive_answer(int fd, const struct control_extras *extras, char *why, size_t why_size)
{
    char *buffer = malloc(CONTROL_MESSAGE_MAX);
    ssize_t n = -ENOMEM;
    if (buffer) {
        do
            n = receive_record(fd, buffer, extras->passed);
        while (n == -EAGAIN && extras->path && answers_others(extras->path, buffer));
    }
    json_t *answer = n > 0 ? json_loadb(buffer, (size_t)n, 0, NULL) : NULL;
    const char *error = json_string_value(json_object_get(answer, "error"));
    free(buffer);
    if (json_is_true(json_object_get(answer, "ok")))
        return answer;
    if (n == -EAGAIN)
        tell_stuck(fd, why, why_size);
    else if (n < 0)
        snprintf(why, why_size, "no answer: %s", strerror((int)-n));
    else if (n == 0)
        snprintf(why, why_size, "the service ended before it answered");
    else
        quote(why, why_size, error ? error : "the service's answer makes no sense: it may be of another version");
    json_decref(answer);
    return NULL;
}

json_t *control_ask(int fd, json_t *request, const struct control_extras *extras, char *why, size_t why_size)
{
    const struct control_extras none = {.descriptors = NULL};
    if (!extras)
        extras = &none;
    json_object_set_new(request, "hawser", json_integer(CONTROL_VERSION));
    int error = send_request(fd, request, extras->descriptors, extras->count);
    json_decref(request);
    /* One that was turned away finds the reason although it could not ask. */
    if (error && error != -EPIPE && error != -ECONNRESET) {
        if (error == -EAGAIN)
            tell_stuck(fd, why, why_size);
        else
            snprintf(why, why_size, "cannot ask the service: %s", strerror(-error));
        return NULL;
    }
    return receive_answer(fd, extras, why, why_size);
}
