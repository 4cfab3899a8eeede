#include "run/link_spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

enum { MTU_MIN = 1280, MTU_MAX = 65535 }; /* RFC 8200 5: IPv6 needs 1280 */

#define SPEC_EXAMPLE "tun,dev=hw0,addr=10.9.1.1/24"

struct spec_reader {
    struct link_spec *spec;
    char *why;
    size_t why_size;
};

HW_PRINTF(2, 3) static int spec_fail(struct spec_reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->why, r->why_size, format, args);
    va_end(args);
    return -EINVAL;
}

/* Decimal digits only, no sign, no more than `max`. */
static bool spec_number(const char *text, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint32_t)(*text - '0');
        if (value > max)
            return false;
    }
    *out = value;
    return true;
}

/* What the kernel takes for the name of a device, and no pattern such as tun%d. */
static bool spec_device_name_ok(const char *name)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (; *name; name++) {
        if (*name == '/' || *name == ':' || *name == '%' || !isgraph((unsigned char)*name))
            return false;
    }
    return true;
}

static int spec_device(struct spec_reader *r, const char *value)
{
    if (r->spec->device[0])
        return spec_fail(r, "dev= is given twice: a link has one device; use another --link for another device");
    if (!spec_device_name_ok(value))
        return spec_fail(r, "dev=%s: not a device name: use letters and digits, as in dev=hw0", value);
    if (strlen(value) >= LINK_SPEC_DEVICE_SIZE)
        return spec_fail(r, "dev=%s: too long: a device name has at most %d characters", value,
                         LINK_SPEC_DEVICE_SIZE - 1);
    memcpy(r->spec->device, value, strlen(value) + 1);
    return 0;
}

/* Addresses a stack cannot own: unspecified, loopback, link-local IPv6 (needs a zone), multicast, broadcast. */
static bool spec_address_usable(const struct hawser_addr *addr)
{
    const uint8_t *ip = addr->ip;
    if (hawser_addr_is_v4(addr))
        return ip[12] != 0 && ip[12] != 127 && ip[12] < 224;
    static const uint8_t zeros[15];
    bool unspecified_or_loopback = memcmp(ip, zeros, 15) == 0 && ip[15] <= 1;
    bool link_local = ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
    return !unspecified_or_loopback && !link_local && ip[0] != 0xff;
}

/* A prefix that is short of 31 bits has an address of its own, and one for all of its hosts (RFC 3021 2.1). */
static bool spec_address_is_all_hosts_or_none(const struct hawser_addr *addr, uint32_t prefix_len)
{
    if (!hawser_addr_is_v4(addr) || prefix_len > 30)
        return false;
    const uint8_t *ip = addr->ip + 12;
    uint32_t mask = UINT32_MAX >> prefix_len;
    uint32_t host = ((uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3]) & mask;
    return host == 0 || host == mask;
}

static int spec_address(struct spec_reader *r, const char *value)
{
    struct link_spec *spec = r->spec;
    char text[HAWSER_ADDR_STRLEN];
    const char *slash = strchr(value, '/');
    struct link_address *out = &spec->addresses[spec->address_count];

    if (strcmp(value, "none") == 0) {
        spec->no_address = true;
        return 0;
    }
    if (!slash)
        return spec_fail(r, "addr=%s: no prefix length: write it after a slash, as in addr=10.9.1.1/24", value);
    size_t len = (size_t)(slash - value);
    if (len < sizeof(text)) {
        memcpy(text, value, len);
        text[len] = '\0';
    }
    if (len >= sizeof(text) || hawser_addr_parse(&out->addr, text, 0) != 0)
        return spec_fail(r, "addr=%s: not an IPv4 or IPv6 address: write it as numbers, as in addr=10.9.1.1/24", value);
    if (!spec_address_usable(&out->addr))
        return spec_fail(r, "addr=%s: not an address for a host: use a free unicast address, as in addr=10.9.1.1/24",
                         value);
    uint32_t bits = hawser_addr_is_v4(&out->addr) ? 32 : 128;
    uint32_t prefix_len;
    if (!spec_number(slash + 1, bits, &prefix_len) || prefix_len == 0)
        return spec_fail(r, "addr=%s: the prefix length must be 1 to %u", value, bits);
    if (spec_address_is_all_hosts_or_none(&out->addr, prefix_len))
        return spec_fail(r, "addr=%s: not one host's, but the network's own or its broadcast address: use one between",
                         value);
    for (size_t i = 0; i < spec->address_count; i++) {
        if (hawser_addr_same_ip(&spec->addresses[i].addr, &out->addr))
            return spec_fail(r, "addr=%s: the address is given twice: leave one out", value);
    }
    out->prefix_len = (uint8_t)prefix_len;
    spec->address_count++;
    return 0;
}

static int spec_mtu(struct spec_reader *r, const char *value)
{
    if (r->spec->mtu)
        return spec_fail(r, "mtu= is given twice: leave one out");
    if (!spec_number(value, MTU_MAX, &r->spec->mtu) || r->spec->mtu < MTU_MIN)
        return spec_fail(r, "mtu=%s: must be a number from %d to %d", value, MTU_MIN, MTU_MAX);
    return 0;
}

static int spec_pcap(struct spec_reader *r, const char *value)
{
    if (r->spec->pcap_path[0])
        return spec_fail(r, "pcap= is given twice: leave one out");
    if (!*value)
        return spec_fail(r, "pcap=: no file name: write pcap=FILE");
    if (strlen(value) >= LINK_SPEC_PATH_SIZE)
        return spec_fail(r, "pcap=: the file name is too long");
    memcpy(r->spec->pcap_path, value, strlen(value) + 1);
    return 0;
}

static const struct spec_key {
    const char *name;
    int (*read)(struct spec_reader *r, const char *value);
} spec_keys[] = {
    {"dev=", spec_device},
    {"addr=", spec_address},
    {"mtu=", spec_mtu},
    {"pcap=", spec_pcap},
};

static int spec_field(struct spec_reader *r, const char *field)
{
    if (strcmp(field, "nogso") == 0) {
        r->spec->no_gso = true;
        return 0;
    }
    if (strcmp(field, "door") == 0) {
        r->spec->door = true;
        return 0;
    }
    if (strncmp(field, "addr=", 5) == 0 && r->spec->address_count == LINK_SPEC_ADDRESSES)
        return spec_fail(r, "too many addresses: a link has at most %d; use another --link", LINK_SPEC_ADDRESSES);
    for (size_t i = 0; i < HW_ARRAY_LEN(spec_keys); i++) {
        size_t len = strlen(spec_keys[i].name);
        if (strncmp(field, spec_keys[i].name, len) == 0)
            return spec_keys[i].read(r, field + len);
    }
    return spec_fail(r, "\"%s\" means nothing in a link: use dev= addr= mtu= pcap= nogso door, as in " SPEC_EXAMPLE,
                     field);
}

int link_spec_parse(const char *text, struct link_spec *out, char *why, size_t why_size)
{
    struct spec_reader r = {out, why, why_size};
    char field[LINK_SPEC_PATH_SIZE + sizeof("pcap=")];
    memset(out, 0, sizeof(*out));

    for (bool first = true;; first = false) {
        size_t len = strcspn(text, ",");
        if (len >= sizeof(field))
            return spec_fail(&r, "a field of the link is too long: write it as in " SPEC_EXAMPLE);
        memcpy(field, text, len);
        field[len] = '\0';
        if (first && strcmp(field, "tun") != 0)
            return spec_fail(&r, "\"%s\" is no kind of link: the kind is tun, as in " SPEC_EXAMPLE, field);
        int error = first ? 0 : spec_field(&r, field);
        if (error)
            return error;
        if (!text[len])
            break;
        text += len + 1;
    }
    if (!out->device[0])
        return spec_fail(&r, "the link names no device: add dev=, as in " SPEC_EXAMPLE);
    if (out->address_count && out->no_address)
        return spec_fail(&r, "addr=none beside other addresses: leave it out, or them");
    if (out->address_count == 0 && !out->door && !out->no_address)
        return spec_fail(&r, "the link has no address: add addr=, as in " SPEC_EXAMPLE);
    return 0;
}
