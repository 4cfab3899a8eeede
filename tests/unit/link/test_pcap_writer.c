#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "base/prng.h"
#include "link/captures.h"
#include "link/pcap_writer.h"
#include "support.h"

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    enum { PACKETS = 500, LEN_MAX = 66000 };
    static uint8_t bytes[LEN_MAX];
    struct capture_place place;
    struct prng rng, again;
    int err = 0;
    prng_seed(&rng, test_seed());
    again = rng;
    capture_place_make(&place);

    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    struct pcap_writer *w = pcap_open(place.path, &err);
    assert_non_null(w);
    for (unsigned i = 0; i < PACKETS; i++) {
        size_t len = prng_below(&rng, i % 10 ? 1500 : LEN_MAX);
        prng_fill(&rng, bytes, len);
        pcap_write(w, start_ns + i * UINT64_C(123456789), bytes, len);
    }
    assert_int_equal(pcap_lost(w), 0);
    assert_int_equal(pcap_close(w), 0);

    struct capture c = capture_read(place.path);
    assert_int_equal(c.count, PACKETS);
    uint64_t wall_ns = clock_ns(CLOCK_REALTIME);
    assert_true(c.records[0].at_ns + 60000000000 > wall_ns && c.records[0].at_ns <= wall_ns);
    for (unsigned i = 0; i < PACKETS; i++) {
        size_t len = prng_below(&again, i % 10 ? 1500 : LEN_MAX);
        prng_fill(&again, bytes, len);
        assert_int_equal(c.records[i].at_ns - c.records[0].at_ns, i * UINT64_C(123456789));
        assert_int_equal(c.records[i].len, len);
        assert_memory_equal(c.records[i].bytes, bytes, len);
    }
    capture_free(&c);
    capture_place_remove(&place);
}

static void a_file_that_cannot_be_made_is_refused(void **state)
{
    (void)state;
    int err = 0;
    assert_null(pcap_open("/nonexistent/dir/a.pcap", &err));
    assert_int_equal(err, -ENOENT);
    err = 0;
    assert_null(pcap_open("/dev/full", &err));
    assert_int_equal(err, -ENOSPC);
}

/* A full disk, played by the limit on file sizes: no crash, every loss counted, the file ends on a whole record. */
static void a_full_disk_is_survived(void **state)
{
    (void)state;
    enum { PACKETS = 1000, LEN = 1000, FILE_MAX = 400000 };
    static uint8_t bytes[LEN];
    struct capture_place place;
    struct rlimit before;
    int err = 0;
    capture_place_make(&place);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {FILE_MAX, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);

    struct pcap_writer *w = pcap_open(place.path, &err);
    assert_non_null(w);
    for (unsigned i = 0; i < PACKETS; i++)
        pcap_write(w, i, bytes, LEN);
    uint64_t lost = pcap_lost(w);
    assert_int_equal(pcap_close(w), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    struct capture c = capture_read(place.path);
    assert_true(c.count > 0);
    assert_int_equal(c.count + lost, PACKETS);
    capture_free(&c);
    capture_place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_file_that_cannot_be_made_is_refused),
        cmocka_unit_test(a_full_disk_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
