#include "run/standin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "run/reset.h"

enum { PACKET_MAX = 65536 + 128, ESTABLISHED = 1, SYN_SENT = 2, LISTENING = 10, TIME_WAIT = 6 };

static void write_packet(int queue, uint8_t *packet, size_t len)
{
    struct virtio_net_hdr header = {0};
    struct iovec parts[] = {{&header, sizeof(header)}, {packet, len}};
    ssize_t n = writev(queue, parts, 2);
    (void)n; /* what has no room is asked again */
}

/* An address of /proc/net/tcp: words of the machine's byte order, then the port. */
static bool read_addr(const char *text, bool v4, struct hawser_addr *out)
{
    unsigned words[4] = {0}, port;
    int n = v4 ? sscanf(text, "%8x:%x", &words[3], &port)
               : sscanf(text, "%8x%8x%8x%8x:%x", &words[0], &words[1], &words[2], &words[3], &port);
    if (n != (v4 ? 2 : 5))
        return false;
    if (v4)
        memset((uint8_t *)&words[2] + 2, 0xff, 2);
    memcpy(out->ip, words, sizeof(out->ip));
    out->port = (uint16_t)port;
    return true;
}

/* Two questions, of which one at least is out of the window: that is what is answered. */
static void ask(int queue, const struct hawser_addr *own, const struct hawser_addr *peer)
{
    uint8_t packet[RESET_PACKET_MAX];
    for (unsigned i = 0; i < 2; i++)
        write_packet(queue, packet, reset_question(peer, own, i << 31, packet));
}

static void ask_all(int queue, pid_t resident, bool v4)
{
    char path[64], line[512], own_text[64], peer_text[64];
    unsigned state;
    snprintf(path, sizeof(path), "/proc/%d/net/tcp%s", resident, v4 ? "" : "6");
    FILE *in = fopen(path, "re");
    while (in && fgets(line, sizeof(line), in)) {
        struct hawser_addr own = {0}, peer = {0};
        if (sscanf(line, " %*u: %63s %63s %x", own_text, peer_text, &state) == 3 && read_addr(own_text, v4, &own) &&
            read_addr(peer_text, v4, &peer) && state != LISTENING && state != TIME_WAIT && state != SYN_SENT)
            ask(queue, &own, &peer);
    }
    if (in)
        fclose(in);
}

int standin_begin(int queue, pid_t resident)
{
    struct ifreq request = {.ifr_flags = IFF_ATTACH_QUEUE};
    if (ioctl(queue, TUNSETQUEUE, &request) != 0)
        return -errno;
    if (resident) {
        ask_all(queue, resident, true);
        ask_all(queue, resident, false);
    }
    return 0;
}

int standin_serve(int queue)
{
    static const size_t header_len = sizeof(struct virtio_net_hdr);
    uint8_t packet[PACKET_MAX], answer[RESET_PACKET_MAX];
    for (;;) {
        ssize_t n = read(queue, packet, sizeof(packet));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -ENODEV;
        size_t len = (size_t)n > header_len ? reset_answer(packet + header_len, (size_t)n - header_len, answer) : 0;
        if (len)
            write_packet(queue, answer, len);
    }
}
