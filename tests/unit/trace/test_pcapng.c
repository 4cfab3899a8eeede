#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "support.h"
#include "trace/pcapng.h"

/* UDP from 10.0.0.1:1000 to 10.0.0.2:2000, then what the test wants; lengths and checksums are filled in below. */
static const uint8_t header[28] = {0x45, 0, 0,  0, 0, 0, 0,    0,    64,   17,   0, 0, 10, 0,
                                   0,    1, 10, 0, 0, 2, 0x03, 0xe8, 0x07, 0xd0, 0, 0, 0,  0};

static size_t make_packet(uint8_t *packet, size_t payload_len)
{
    size_t len = sizeof header + payload_len, udp_len = 8 + payload_len;
    memset(packet, 0, len);
    memcpy(packet, header, sizeof header);
    packet[2] = (uint8_t)(len >> 8);
    packet[3] = (uint8_t)len;
    packet[24] = (uint8_t)(udp_len >> 8);
    packet[25] = (uint8_t)udp_len;
    return len;
}

struct place {
    char dir[32], path[64];
};

static void place_make(struct place *place)
{
    strcpy(place->dir, "/tmp/hawser-test-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->path, sizeof place->path, "%s/a.pcapng", place->dir);
}

static void place_remove(const struct place *place)
{
    unlink(place->path);
    assert_int_equal(rmdir(place->dir), 0);
}

/* What tshark makes of the file, a packet a line. */
static FILE *tshark_open(const struct place *place)
{
    char command[320];
    snprintf(command, sizeof command,
             "tshark -n -r %s -T fields -e frame.interface_name -e frame.packet_flags_direction -e frame.time_epoch "
             "-e frame.len -e udp.dstport 2>/dev/null",
             place->path);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    return out;
}

static void tshark_reads_what_was_written(void **state)
{
    (void)state;
    /* Names and payloads of every remainder by four, since both are padded. */
    static const char *const names[] = {"a", "to", "one", "four", "a-longer-name"};
    enum { PACKETS = 200, INTERFACES = HW_ARRAY_LEN(names) };
    static const uint64_t step_ns = UINT64_C(1234567891);
    uint8_t packet[sizeof header + PACKETS];
    struct place place;
    int err = 1;
    place_make(&place);
    struct pcapng *f = pcapng_open(place.path, &err);
    assert_non_null(f);
    for (unsigned i = 0; i < INTERFACES; i++)
        assert_int_equal(pcapng_add_interface(f, names[i]), i);
    for (unsigned i = 0; i < PACKETS; i++)
        pcapng_write(f, i % INTERFACES, i % 3 == 0, i * step_ns, packet, make_packet(packet, i));
    assert_int_equal(pcapng_close(f), 0);

    FILE *out = tshark_open(&place);
    for (unsigned i = 0; i < PACKETS; i++) {
        char name[32], direction[16];
        uint64_t seconds, ns;
        unsigned len, port;
        assert_int_equal(
            fscanf(out, "%31s %15s %" SCNu64 ".%9" SCNu64 " %u %u", name, direction, &seconds, &ns, &len, &port), 6);
        assert_string_equal(name, names[i % INTERFACES]);
        assert_int_equal(strtoul(direction, NULL, 0), i % 3 == 0 ? 1 : 2);
        assert_int_equal(seconds * 1000000000 + ns, i * step_ns);
        assert_int_equal(len, sizeof header + i);
        assert_int_equal(port, 2000);
    }
    char more[8];
    assert_int_equal(fscanf(out, "%7s", more), EOF);
    assert_int_equal(pclose(out), 0);
    place_remove(&place);
}

static void a_file_without_packets_is_whole(void **state)
{
    (void)state;
    struct place place;
    int err = 0;
    place_make(&place);
    struct pcapng *f = pcapng_open(place.path, &err);
    assert_non_null(f);
    pcapng_add_interface(f, "alone");
    assert_int_equal(pcapng_close(f), 0);
    FILE *out = tshark_open(&place);
    assert_int_equal(fgetc(out), EOF);
    assert_int_equal(pclose(out), 0);
    place_remove(&place);
}

static void a_file_that_cannot_be_made_is_refused(void **state)
{
    (void)state;
    int err = 0;
    assert_null(pcapng_open("/nonexistent/dir/a.pcapng", &err));
    assert_int_equal(err, -ENOENT);
}

/* The first error is the one told at the end, also when it comes with the last bytes. */
static void what_was_lost_is_told_at_the_end(void **state)
{
    (void)state;
    uint8_t packet[sizeof header + 1000];
    size_t len = make_packet(packet, 1000);
    int err = 0;
    for (unsigned packets = 1; packets <= 1000; packets += 999) {
        struct pcapng *f = pcapng_open("/dev/full", &err);
        assert_non_null(f);
        pcapng_add_interface(f, "full");
        for (unsigned i = 0; i < packets; i++)
            pcapng_write(f, 0, true, i, packet, len);
        assert_int_equal(pcapng_close(f), -ENOSPC);
    }
}

/* A disk that fills up half-way, played by the limit on file sizes. */
static void after_an_error_nothing_more_is_written(void **state)
{
    (void)state;
    enum { FILE_MAX = 100000, PACKETS = 1000 };
    uint8_t packet[sizeof header + 1000];
    size_t len = make_packet(packet, 1000);
    struct place place;
    struct rlimit before;
    struct stat facts;
    int err = 0;
    place_make(&place);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {FILE_MAX, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct pcapng *f = pcapng_open(place.path, &err);
    assert_non_null(f);
    pcapng_add_interface(f, "small");
    for (unsigned i = 0; i < PACKETS; i++) {
        pcapng_write(f, 0, false, i, packet, len);
        if (i == PACKETS / 2) /* room again, but a gap would make the rest unreadable */
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    }
    assert_int_equal(pcapng_close(f), -EFBIG);
    assert_int_equal(stat(place.path, &facts), 0);
    assert_true(facts.st_size > FILE_MAX / 2 && facts.st_size <= FILE_MAX + 4096);
    place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tshark_reads_what_was_written),          cmocka_unit_test(a_file_without_packets_is_whole),
        cmocka_unit_test(a_file_that_cannot_be_made_is_refused),  cmocka_unit_test(what_was_lost_is_told_at_the_end),
        cmocka_unit_test(after_an_error_nothing_more_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
