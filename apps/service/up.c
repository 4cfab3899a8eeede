/* hawser up: programs come in by doors and go out by uplinks. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

#include <hawser/hawser.h>

#include "base/units.h"
#include "commands.h"
#include "service/control_socket.h"
#include "service/doors.h"
#include "service/privileges.h"
#include "service/program_verb.h"
#include "service/publish.h"
#include "service/reload.h"
#include "service/service.h"
#include "service/ss.h"
#include "service/up_check.h"
#include "service/up_options.h"
#include "service/up_status.h"
#include "service/verbs.h"
#include "service/ways_out.h"

enum {
    UP_CONNECTIONS = 65536,
    UP_BACKLOG = 2048, /* of each door */
    /* Of a connection with a client, who is near: enough for a gigabit over eight milliseconds. What a pair may hold is
     * twice this, the two buffers towards the destination, which are the stack's defaults, and what joint.h says. */
    UP_NEAR_BUFFER_BYTES = 1024 * 1024,
};

/* Connections of which nobody hears any more: programs whose namespace is gone say no good-bye; destinations are asked
 * as rarely as the kernel does it. */
#define UP_NEAR_KEEPALIVE_NS (300 * NS_PER_S)
#define UP_FAR_KEEPALIVE_NS (7200 * NS_PER_S)

struct up {
    struct up_options options;
    struct reload reload;
    struct ss ss;
    struct service service;
    struct ways_out *ways;       /* NULL: uplinks are named */
    struct named_uplinks *named; /* NULL: they are found */
    struct programs *programs;
    struct proxies *proxies; /* a part of the service; NULL: none */
    struct stalls stalls;    /* ports of the uplinks, of `publish` and of programs */
    struct publish *publish;
    struct doors *doors;
};

/* What the start goes on with: more, or an exit status. */
enum { UP_GO_ON = -1 };

#define up_fail(...) command_fail("up", __VA_ARGS__)

static void up_report(struct up *up)
{
    struct service *service = &up->service;
    LIST_EACH (it, &service->doors) {
        const struct service_door *door = LIST_ENTRY(it, struct service_door, link);
        struct door_counts counts;
        door_count(door->door, &counts);
        up_status_door(stderr, door->name, &counts);
    }
    struct session_counts sessions;
    const char *port;
    for (size_t i = 0; up->proxies && (port = proxies_status(up->proxies, i, &sessions)); i++)
        up_status_port(stderr, port, &sessions);
    struct upstream_counts upstream;
    const char *failure;
    if (up->proxies && proxies_upstream(up->proxies, &upstream, &failure))
        up_status_upstream(stderr, &upstream, failure);
    struct stall_status published;
    for (size_t i = 0; service->stalls && stalls_status(service->stalls, i, &published); i++)
        up_status_published(stderr, &published);
    up_status_joints(stderr, service);
}

static int up_heard_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
    if (info->ssi_signo == SIGUSR1)
        up_report(user);
    else
        sd_event_exit(sd_event_source_get_event(source), EXIT_SUCCESS);
    return 0;
}

static int up_catch_signals(struct up *up)
{
    sigset_t set;
    int error = command_block_signals(SIGUSR1, &set);
    for (int number = 1; number < NSIG && error >= 0; number++) {
        if (sigismember(&set, number) == 1)
            error = sd_event_add_signal(up->service.loop, NULL, number, up_heard_signal, up);
    }
    return error >= 0 ? UP_GO_ON : up_fail("cannot receive signals: %s", strerror(-error));
}

static int up_open_control(struct up *up)
{
    char why[512];
    const char *path = control_path(up->options.control);
    if (control_is_none(path))
        return UP_GO_ON;
    if (service_control(&up->service, path, up->options.group, why, sizeof(why)) < 0)
        return up_fail("%s", why);
    int error = verbs_add(&up->service);
    if (!error)
        error = reload_add_verb(&up->reload, &up->service);
    if (!error)
        error = ss_add_verb(&up->ss, &up->service);
    return error < 0 ? up_fail("cannot begin: %s", strerror(-error)) : UP_GO_ON;
}

/* The devices of doors are none of the host's uplinks. */
static int up_find_uplinks(struct up *up)
{
    char why[600], devices[DOORS_MAX][DOOR_NAME_SIZE];
    const char *own[DOORS_MAX + 1] = {NULL};
    for (unsigned i = 0; i < up->options.door_count; i++) {
        door_rule_device(&up->options.doors[i], devices[i]);
        own[i] = devices[i];
    }
    const struct uplink_names names = {.own = own, .allowed = up->options.allowed, .excluded = up->options.excluded};
    int error = ways_open(&up->ways, &up->service, &names, why, sizeof(why));
    return error ? up_fail("%s", why) : UP_GO_ON;
}

/* Which were checked. */
static int up_set_roles(struct up *up)
{
    const struct up_options *o = &up->options;
    char why[512];
    int error = service_set_backups(&up->service, o->backups, o->backup_count);
    if (!error)
        error = choice_set(&up->service.choice, o->first, o->first_count, why, sizeof(why));
    return error ? up_fail("cannot begin: %s", strerror(-error)) : UP_GO_ON;
}

static int up_add_uplinks(struct up *up)
{
    char why[1024];
    ways_sweep();
    publish_sweep();
    if (up_options_find_uplinks(&up->options))
        return up_find_uplinks(up);
    if (named_uplinks_new(&up->named, &up->service) < 0)
        return up_fail("no memory for the uplinks: free some and try again");
    up->reload.named = up->named;
    int error = named_uplinks_set(up->named, up->options.uplinks, up->options.uplink_count, why, sizeof(why));
    if (!error)
        return UP_GO_ON;
    up_fail("%s", why);
    return error == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}

static int up_publish(struct up *up)
{
    char why[600];
    if (!up->ways)
        return UP_GO_ON;
    if (publish_new(&up->publish, &up->stalls) < 0)
        return up_fail("no memory to publish: free some and try again");
    up->reload.publish = up->publish;
    int error = publish_set(up->publish, up->options.published, up->options.published_count, why, sizeof(why));
    return error ? up_fail("--publish: %s", why) : UP_GO_ON;
}

static int up_admit_programs(struct up *up, const struct door_options *options)
{
    char why[512];
    if (programs_start(&up->service, options, &up->stalls, &up->options.program_ports, &up->programs, why,
                       sizeof(why)) < 0)
        return up_fail("%s", why);
    up->service.programs = up->programs;
    int error = up->service.control_path ? program_verb_add(&up->service.control, up->programs) : 0;
    return error < 0 ? up_fail("cannot begin: %s", strerror(-error)) : UP_GO_ON;
}

static int up_add_doors(struct up *up)
{
    stalls_init(&up->stalls, &up->service);
    up->stalls.ways = up->ways;
    up->service.stalls = &up->stalls;
    const struct door_options options = {
        .backlog = UP_BACKLOG,
        .near = {.size = sizeof(options.near),
                 .send_buffer_bytes = UP_NEAR_BUFFER_BYTES,
                 .recv_buffer_bytes = UP_NEAR_BUFFER_BYTES,
                 .keepalive_idle_ns = UP_NEAR_KEEPALIVE_NS,
                 .share = HAWSER_SHARE_BY_HOST},
    };
    up->service.direct.options.keepalive_idle_ns = UP_FAR_KEEPALIVE_NS;
    up->reload.service = &up->service;
    reload_apply(&up->reload, &up->options);
    char why[800];
    if (doors_open(&up->doors, &up->service, &options, why, sizeof(why)) < 0)
        return up_fail("%s", why);
    int error = doors_set(up->doors, up->options.doors, up->options.door_count, why, sizeof(why));
    up->reload.doors = up->doors;
    if (error < 0) {
        up_fail("%s", why);
        return error == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
    }
    return up_admit_programs(up, &options);
}

/* Nothing is set up from here on but what CAP_NET_ADMIN may. */
static int up_drop_privileges(struct up *up)
{
    const char *runtime = getenv("RUNTIME_DIRECTORY"); /* systemd's */
    const char *const own[] = {runtime && *runtime ? runtime : "/run/hawser", NULL};
    char why[256];
    if (privileges_drop(up->options.user, own, why, sizeof(why)) < 0)
        return up_fail("%s", why);
    int error = privileges_filter();
    return error ? up_fail("cannot filter system calls: %s; HAWSER_FILTER=off does without", strerror(-error))
                 : UP_GO_ON;
}

static int up_run(struct up *up)
{
    int status = up_catch_signals(up);
    if (status == UP_GO_ON)
        status = up_open_control(up);
    if (status == UP_GO_ON)
        status = up_set_roles(up);
    if (status == UP_GO_ON)
        status = up_add_uplinks(up);
    if (status == UP_GO_ON)
        status = proxy_options_open(&up->options.proxies, &up->service, &up->proxies);
    if (status == UP_GO_ON)
        status = up_add_doors(up);
    if (status == UP_GO_ON)
        status = up_publish(up);
    if (status == UP_GO_ON)
        status = up_drop_privileges(up);
    if (status != UP_GO_ON)
        return status;
    command_say(LOG_INFO, "up", "ready");
    sd_notify(0, "READY=1");
    status = service_run(&up->service);
    sd_notify(0, "STOPPING=1");
    if (up->options.verbose) {
        up_report(up);
        command_print_counters(stderr, up->service.host, "");
    }
    return status;
}

/* Each client and destination that is no connection of the stack's has one; what a shell allows is meant for select().
 */
static void up_want_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* The service, from its beginning to its end, as all options say that were read. */
static int up_serve(struct up *up)
{
    const struct hawser_path_options paths = up_options_paths(&up->options);
    struct hawser_stack_options stack_options = {.size = sizeof(stack_options),
                                                 .max_connections = UP_CONNECTIONS,
                                                 .congestion = up->options.congestion,
                                                 .scheduler = up->options.scheduler,
                                                 .paths = &paths};
    if (up_options_find_uplinks(&up->options)) { /* those that the translation keeps */
        stack_options.first_port = UPLINKS_FIRST_PORT;
        stack_options.last_port = UPLINKS_LAST_PORT;
    }
    int error = service_init(&up->service, &stack_options);
    if (error)
        return up_fail("cannot begin: %s", strerror(-error));
    up_want_descriptors();
    int status = up_run(up);
    up->service.programs = NULL;
    programs_stop(up->programs);
    publish_shut(up->publish);
    service_end(&up->service);
    publish_close(up->publish);
    doors_close(up->doors);
    named_uplinks_free(up->named);
    ways_close(up->ways);
    return status;
}

/* All that can be known of the options before anything is touched. */
static int up_check(const struct up *up)
{
    const struct reload *reload = &up->reload;
    char why[1024];
    if (up_options_check(&up->options, why, sizeof(why)) < 0)
        return command_misused("up", "%s", why);
    if (up->options.check_alone && !reload->path)
        return up_fail("nothing to check: there is no " CONFIG_PATH "; name another configuration by -c FILE");
    int status = proxy_options_check(&up->options.proxies);
    if (status != UP_GO_ON)
        return status;
    int error = up_check_names(&up->options, reload->path ? &reload->start : NULL, reload->path, why, sizeof(why));
    if (!error)
        return UP_GO_ON;
    up_fail("%s", why);
    return error == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
}

int up_main(int argc, char **argv)
{
    struct up up = {.ways = NULL, .named = NULL, .programs = NULL, .proxies = NULL, .publish = NULL, .doors = NULL};
    char why[1024];
    int status = up_options_read(&up.options, argc, argv);
    if (status != UP_GO_ON)
        return status;
    if (!reload_begin(&up.reload, &up.options, why, sizeof(why)))
        status = up_fail("%s", why);
    else if ((status = up_check(&up)) == UP_GO_ON)
        status = up.options.check ? EXIT_SUCCESS : up_serve(&up);
    reload_free(&up.reload);
    return status;
}
