/* Devices by their names (apps/service/device.h), and how many sockets there may be (apps/service/socket_end.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "service/device.h"
#include "service/socket_end.h"

static struct rlimit limit_descriptors(rlim_t count)
{
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

static void gone_is_another_thing_than_unknown(void **state)
{
    (void)state;
    unsigned index;
    assert_int_equal(device_index("lo", &index), 0);
    assert_int_not_equal(index, 0);
    assert_int_equal(device_index("no-such-device", &index), -ENODEV);
    const struct rlimit before = limit_descriptors(0);
    const int there = device_index("lo", &index), missing = device_index("no-such-device", &index);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(there, -EMFILE);
    assert_int_equal(missing, -EMFILE);
    assert_int_equal(device_index("lo", &index), 0);
    assert_int_equal(device_set_up("no-such-device"), -ENODEV);
}

static void it_is_said_what_to_do(void **state)
{
    (void)state;
    char why[256];
    assert_int_equal(device_complain("up0", -ENODEV, why, sizeof why), -ENODEV);
    assert_string_equal(why, "somebody deleted up0: start again");
    assert_int_equal(device_complain("up0", -EMFILE, why, sizeof why), -EMFILE);
    assert_non_null(strstr(why, "raise the limit of descriptors"));
}

static void sockets_leave_descriptors(void **state)
{
    (void)state;
    const struct rlimit before = limit_descriptors(64);
    const uint32_t few = sockets_room(3), many = sockets_room(16384);
    limit_descriptors(1);
    const uint32_t least = sockets_room(16384);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(few, 3);
    assert_int_equal(many, 16);
    assert_int_equal(least, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gone_is_another_thing_than_unknown),
        cmocka_unit_test(it_is_said_what_to_do),
        cmocka_unit_test(sockets_leave_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
