/* Where the service listens to other programs of this machine, and how those reach it. */
#ifndef HW_APPS_SERVICE_CONTROL_SOCKET_H
#define HW_APPS_SERVICE_CONTROL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>

#define CONTROL_FOLDER "/run/hawser/"
#define CONTROL_PATH CONTROL_FOLDER "control"
#define CONTROL_GROUP "hawser"

/* What HAWSER_CONTROL says; NULL: nothing. */
const char *control_of_environment(void);

/* `option` if there is one, else the environment's HAWSER_CONTROL, else CONTROL_PATH. */
const char *control_path(const char *option);

/* Such a path says that there is no socket: "none". */
bool control_is_none(const char *path);

/*
 * Listens at `path`, of whose directories CONTROL_FOLDER alone is made when it is missing, for root and the members of
 * `group` (NULL: CONTROL_GROUP if there is one). What a service that is no more left there is replaced. Returns a
 * descriptor, or a negative errno and in `why` one line.
 */
int control_listen(const char *path, const char *group, char *why, size_t why_size);

/* Takes away what control_listen() made, as far as that may be. */
void control_unlink(const char *path);

/* Connects to a service. Returns a descriptor, with which nothing takes longer than 15 s, or a negative errno and one
 * line. */
int control_connect(const char *path, char *why, size_t why_size);

/* The service's process, or 0 where that is not to be seen, as from a container. */
pid_t control_process(int fd);

/* What a request may have besides. */
struct control_extras {
    const int *descriptors; /* that go with it, */
    size_t count;           /* at most CONTROL_DESCRIPTORS */
    int *passed;            /* the descriptor that came along with the answer, the caller's, or -1; NULL: none does */
    const char *path;       /* of a service that answers in its turn: more than 15 s are waited while it answers others
                               there; NULL: none are */
};

/* Sends a request, which it takes over, with its extras (NULL: none), and waits for the answer: an object of the
 * caller's, or NULL and in `why` what the service says is wrong, or what else is. */
json_t *control_ask(int fd, json_t *request, const struct control_extras *extras, char *why, size_t why_size);

#endif
