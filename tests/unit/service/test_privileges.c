/* What the service may do once it runs (apps/service/privileges.h): each case in a process of its own. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cap-ng.h>
#include <cmocka.h>

#include "service/privileges.h"

enum { NOBODY = 65534 };

/* Returns the status of a child that does it: 0 when it returned true. */
static int child(bool (*does)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(does() ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void *nothing(void *user) { return user; }

static bool filtered(void)
{
    char name[] = "/tmp/hawser-test-XXXXXX";
    unsetenv("HAWSER_FILTER");
    if (privileges_filter() != 0)
        return false;
    int fd = mkstemp(name), peer = socket(AF_UNIX, SOCK_STREAM, 0);
    bool good = fd >= 0 && unlink(name) == 0 && peer >= 0;
    pthread_t thread;
    good = good && pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0;
    good = good && fork() < 0 && errno == EPERM;
    good = good && unshare(CLONE_NEWNET) < 0 && errno == EPERM;
    good = good && execl("/bin/true", "true", (char *)NULL) < 0 && errno == EPERM;
    return good && setuid(0) < 0 && errno == EPERM;
}

static bool killed(void)
{
    setenv("HAWSER_FILTER", "kill", 1);
    return privileges_filter() == 0 && getppid() > 0 && unshare(CLONE_NEWNET) == 0;
}

static bool unfiltered(void)
{
    setenv("HAWSER_FILTER", "off", 1);
    return privileges_filter() == 0 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0;
}

static void system_calls_are_filtered(void **state)
{
    (void)state;
    assert_int_equal(child(filtered), 0);
    int status = child(killed);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    assert_int_equal(child(unfiltered), 0);
}

static bool has_only_net_admin(void)
{
    capng_get_caps_process();
    bool may = capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
    capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
    return may && capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE &&
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool becomes_nobody(void)
{
    char why[300] = "", directory[] = "/tmp/hawser-test-XXXXXX";
    const char *const own[] = {"/nowhere", mkdtemp(directory), NULL, NULL};
    struct stat st;
    if (privileges_check("nobody", why, sizeof why) != 0 || geteuid() != 0 ||
        privileges_drop("nobody", own, why, sizeof why) != 0)
        return false;
    bool good = getuid() == NOBODY && geteuid() == NOBODY && getgroups(0, NULL) == 0 && setuid(0) < 0;
    good = good && stat(directory, &st) == 0 && st.st_uid == NOBODY && rmdir(directory) == 0;
    return good && has_only_net_admin();
}

static bool remains_root(void)
{
    char why[300] = "";
    const char *const own[] = {NULL};
    return privileges_drop("root", own, why, sizeof why) == 0 && getuid() == 0 && has_only_net_admin();
}

static bool has_no_such_user(void)
{
    char why[300] = "";
    const char *const own[] = {NULL};
    if (privileges_check("no-such-user", why, sizeof why) == 0 || !strstr(why, "useradd"))
        return false;
    why[0] = '\0';
    return privileges_drop("no-such-user", own, why, sizeof why) < 0 && strstr(why, "useradd") && !strchr(why, '\n');
}

static bool is_no_root(void)
{
    char why[300] = "";
    const char *const own[] = {NULL};
    if (geteuid() == 0 && setuid(NOBODY) != 0)
        return false;
    return privileges_check(NULL, why, sizeof why) == 0 && privileges_check("nobody", why, sizeof why) < 0 &&
           privileges_drop("nobody", own, why, sizeof why) < 0 && strstr(why, "only root") &&
           privileges_drop(NULL, own, why, sizeof why) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static void privileges_are_given_up(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        assert_int_equal(child(becomes_nobody), 0);
        assert_int_equal(child(remains_root), 0);
        assert_int_equal(child(has_no_such_user), 0);
    }
    assert_int_equal(child(is_no_root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_calls_are_filtered),
        cmocka_unit_test(privileges_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
