/* Writing to a descriptor that may be slow and that others share, without ever blocking for long. */
#ifndef HW_APPS_OUTPUT_H
#define HW_APPS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <hawser/packet.h>

enum output_kind {
    OUTPUT_NONBLOCKING, /* returns EAGAIN by itself */
    OUTPUT_SOCKET,      /* does when asked to */
    OUTPUT_FILE,        /* never waits for anybody */
    OUTPUT_SHORT,       /* may block on more than PIPE_BUF bytes */
};

struct output {
    int fd;
    bool owned;
    enum output_kind kind;
};

/* Readies `fd` for output_write(). Its flags are left alone: the shell and other programs share them. */
void output_open(struct output *out, int fd);
void output_close(struct output *out);

/* Writes from the front of `parts`; returns the bytes taken, -EAGAIN when there is no room now (poll out->fd for
 * POLLOUT), or another negative errno. */
ssize_t output_write(const struct output *out, const struct hawser_part *parts, size_t count);

#endif
