#include "link/pcap_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

enum {
    PCAP_BUFFER_BYTES = 256 * 1024,
    PCAP_RECORD_HEADER = 16,
    PCAP_SNAP_LEN = 128 * 1024, /* more than any IP packet, less than the buffer */
    PCAP_LINKTYPE_RAW = 101,
};

#define PCAP_MAGIC_NS UINT32_C(0xa1b23c4d)

struct pcap_writer {
    int fd;
    int error;        /* the negative errno that ended the writing */
    uint64_t wall_ns; /* what to add to the monotonic clock */
    uint64_t lost;
    uint64_t buffered; /* records in `buffer` */
    size_t used;
    off_t whole; /* bytes of the file that are whole records */
    uint8_t buffer[PCAP_BUFFER_BYTES];
};

/* Files hold the writer's own byte order: the magic number tells the reader. */
struct pcap_file_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snap_len, link_type;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void pcap_flush(struct pcap_writer *w)
{
    size_t done = 0;
    while (!w->error && done < w->used) {
        ssize_t n = write(w->fd, w->buffer + done, w->used - done);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno != EINTR)
            w->error = -errno;
    }
    if (!w->error) {
        w->whole += (off_t)w->used;
    } else {
        w->lost += w->buffered;
        /* A pipe cannot be cut back: its reader sees a record cut short. */
        int ignored = ftruncate(w->fd, w->whole);
        (void)ignored;
    }
    w->used = 0;
    w->buffered = 0;
}

struct pcap_writer *pcap_open(const char *path, int *err)
{
    struct pcap_writer *w = malloc(sizeof(*w));
    if (!w) {
        *err = -ENOMEM;
        return NULL;
    }
    w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (w->fd < 0) {
        *err = -errno;
        free(w);
        return NULL;
    }
    w->error = 0;
    w->lost = 0;
    w->whole = 0;
    w->buffered = 0;
    w->wall_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
    struct pcap_file_header header = {
        .magic = PCAP_MAGIC_NS, .major = 2, .minor = 4, .snap_len = PCAP_SNAP_LEN, .link_type = PCAP_LINKTYPE_RAW};
    memcpy(w->buffer, &header, sizeof(header));
    w->used = sizeof(header);
    pcap_flush(w);
    if (w->error) {
        *err = pcap_close(w);
        return NULL;
    }
    return w;
}

void pcap_write(struct pcap_writer *w, uint64_t now_ns, const void *packet, size_t len)
{
    size_t kept = len < PCAP_SNAP_LEN ? len : PCAP_SNAP_LEN;
    if (w->used + PCAP_RECORD_HEADER + kept > PCAP_BUFFER_BYTES)
        pcap_flush(w);
    if (w->error) {
        w->lost++;
        return;
    }
    uint64_t at_ns = now_ns + w->wall_ns;
    uint32_t header[4] = {(uint32_t)(at_ns / NS_PER_S), (uint32_t)(at_ns % NS_PER_S), (uint32_t)kept, (uint32_t)len};
    memcpy(w->buffer + w->used, header, sizeof(header));
    memcpy(w->buffer + w->used + sizeof(header), packet, kept);
    w->used += sizeof(header) + kept;
    w->buffered++;
}

uint64_t pcap_lost(const struct pcap_writer *w) { return w->lost; }

int pcap_close(struct pcap_writer *w)
{
    pcap_flush(w);
    if (close(w->fd) != 0 && !w->error)
        w->error = -errno;
    int error = w->error;
    free(w);
    return error;
}
