/* The library says the version of its headers; src/meson.build sees that it is the project's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <hawser/version.h>

static void headers_and_library_are_of_one_version(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", HAWSER_VERSION / 1000000, HAWSER_VERSION / 1000 % 1000,
             HAWSER_VERSION % 1000);
    assert_string_equal(hawser_version(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers_and_library_are_of_one_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
