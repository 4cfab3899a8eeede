/* A stream socket of the kernel as an end (end.h). */
#ifndef HW_APPS_SERVICE_SOCKET_END_H
#define HW_APPS_SERVICE_SOCKET_END_H

#include <systemd/sd-event.h>

#include "service/end.h"

enum { SOCKET_READ_BYTES = 64 * 1024 };

/* What the sockets of a service have in common. */
struct sockets {
    sd_event *loop;
    struct hawser_host *host; /* the clock, and whose memory slices are */
    void *spare;              /* a buffer that was not used up; or NULL */
    uint8_t peeked[SOCKET_READ_BYTES];
};

void sockets_init(struct sockets *sockets, sd_event *loop, struct hawser_host *host);
void sockets_end(struct sockets *sockets);

/* Of `wanted` sockets of one kind, so many there may be: all kinds need descriptors, and so does the service, so that
 * one has a quarter of those that this process may have at most. */
uint32_t sockets_room(uint32_t wanted);

/* Takes over `fd`, which is non-blocking, connected or connecting, to `peer`: of whom the kernel says nothing before,
 * nor after a reset. Returns 0 and *out, or a negative errno, and the caller has `fd` still. */
int socket_end_new(struct sockets *sockets, int fd, const struct hawser_addr *peer, struct end *out);

/* `closed` is told, once, when that socket is: of an end that socket_end_new() made. */
void socket_end_on_close(struct end end, void (*closed)(void *of), void *of);

#endif
