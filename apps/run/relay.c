#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/relay_state.h"
#include "run/sockaddr.h"

int relay_new(sd_event *loop, const struct inlet *inlet, sd_event_io_handler_t came, void (*end_one)(struct list *one),
              struct relay **out)
{
    struct relay *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    *r = (struct relay){.loop = loop, .inlet = *inlet, .end_one = end_one};
    list_init(&r->all);
    int error = sd_event_add_io(loop, &r->source, inlet->fd, EPOLLIN, came, r);
    if (error >= 0)
        error = sd_event_source_set_ratelimit(r->source, 1000000, RELAY_TURNS_PER_S);
    if (error < 0) {
        sd_event_source_disable_unref(r->source);
        free(r);
        return error;
    }
    *out = r;
    return 0;
}

int relay_connect(const struct relay *r)
{
    struct sockaddr_storage to;
    socklen_t len = sockaddr_of(&r->inlet.addr, &to);
    int fd = socket(to.ss_family, (r->inlet.stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

void relay_end(struct relay *r)
{
    LIST_EACH (it, &r->all)
        r->end_one(it);
    sd_event_source_disable_unref(r->source);
    close(r->inlet.fd);
    free(r);
}
