/* The pcapng format (draft-ietf-opsawg-pcapng): blocks in the machine's byte order, told by the magic of the first. */
#include "trace/pcapng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,
    LINKTYPE_RAW = 101,
    OPTION_END = 0,
    OPTION_NAME = 2,
    OPTION_TSRESOL = 9,
    OPTION_FLAGS = 2,
    RESOLUTION_NS = 9,
    FLAG_INBOUND = 1,
    FLAG_OUTBOUND = 2,
};

struct pcapng {
    FILE *file;
    uint32_t interfaces;
    int error;
};

static void put(struct pcapng *f, const void *data, size_t len)
{
    if (f->error == 0 && fwrite(data, 1, len, f->file) != len)
        f->error = errno ? -errno : -EIO;
}

static void put32(struct pcapng *f, uint32_t value) { put(f, &value, sizeof value); }

static void put16s(struct pcapng *f, uint16_t a, uint16_t b)
{
    const uint16_t values[2] = {a, b};
    put(f, values, sizeof values);
}

static uint32_t padded(size_t len) { return (uint32_t)((len + 3) & ~(size_t)3); }

static void put_padded(struct pcapng *f, const void *data, size_t len)
{
    static const uint8_t zero[4];
    put(f, data, len);
    put(f, zero, padded(len) - len);
}

static void put_option(struct pcapng *f, uint16_t code, const void *data, uint16_t len)
{
    put16s(f, code, len);
    put_padded(f, data, len);
}

static void put_section(struct pcapng *f)
{
    const uint32_t len = 28;
    put32(f, BLOCK_SECTION);
    put32(f, len);
    put32(f, BYTE_ORDER_MAGIC);
    put16s(f, 1, 0);
    put32(f, UINT32_MAX); /* the section's length is not known beforehand */
    put32(f, UINT32_MAX);
    put32(f, len);
}

struct pcapng *pcapng_open(const char *path, int *err)
{
    struct pcapng *f = calloc(1, sizeof *f);
    if (!f) {
        *err = -ENOMEM;
        return NULL;
    }
    f->file = fopen(path, "wbe");
    if (!f->file) {
        *err = -errno;
        free(f);
        return NULL;
    }
    put_section(f);
    return f;
}

uint32_t pcapng_add_interface(struct pcapng *f, const char *name)
{
    const uint8_t resolution = RESOLUTION_NS;
    uint16_t name_len = (uint16_t)strlen(name);
    uint32_t len = 20 + 4 + padded(name_len) + 8 + 4;
    put32(f, BLOCK_INTERFACE);
    put32(f, len);
    put16s(f, LINKTYPE_RAW, 0);
    put32(f, 0); /* no limit on a packet's bytes */
    put_option(f, OPTION_NAME, name, name_len);
    put_option(f, OPTION_TSRESOL, &resolution, sizeof resolution);
    put16s(f, OPTION_END, 0);
    put32(f, len);
    return f->interfaces++;
}

void pcapng_write(struct pcapng *f, uint32_t interface, bool inbound, uint64_t at_ns, const void *packet, size_t len)
{
    const uint32_t flags = inbound ? FLAG_INBOUND : FLAG_OUTBOUND;
    uint32_t total = 32 + padded(len) + 8 + 4;
    put32(f, BLOCK_PACKET);
    put32(f, total);
    put32(f, interface);
    put32(f, (uint32_t)(at_ns >> 32));
    put32(f, (uint32_t)at_ns);
    put32(f, (uint32_t)len);
    put32(f, (uint32_t)len);
    put_padded(f, packet, len);
    put_option(f, OPTION_FLAGS, &flags, sizeof flags);
    put16s(f, OPTION_END, 0);
    put32(f, total);
}

int pcapng_close(struct pcapng *f)
{
    int error = f->error;
    if (fclose(f->file) != 0 && error == 0)
        error = -errno;
    free(f);
    return error;
}
