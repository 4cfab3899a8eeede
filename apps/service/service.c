#include "service/service.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "commands.h"
#include "run/host_turn.h"
#include "service/control_socket.h"

/* At the end, for what was closed and is not delivered. */
#define SERVICE_PATIENCE_NS (1 * NS_PER_S)

static int host_is_ready(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct service *service = user;
    (void)source;
    (void)fd;
    (void)events;
    service->host_ready = true;
    return 0;
}

static int watch_host(struct service *service)
{
    sd_event_source *source;
    int error = sd_event_add_io(service->loop, &source, hawser_host_fd(service->host), EPOLLIN, host_is_ready, service);
    if (error < 0)
        return error;
    error = sd_event_source_set_priority(source, SERVICE_HOST_PRIORITY);
    if (error >= 0)
        error = sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    return error;
}

/* The allocator keeps what is free below something in use: buffers of a rush may stay for as long as one connection
 * does. */
static int give_memory_back(sd_event_source *source, uint64_t due_us, void *user)
{
    (void)due_us;
    (void)user;
    malloc_trim(0);
    int error = sd_event_source_set_time_relative(source, SERVICE_TRIM_US);
    return error < 0 ? error : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int give_memory_back_at_times(struct service *service)
{
    return sd_event_add_time_relative(service->loop, NULL, CLOCK_MONOTONIC, SERVICE_TRIM_US, SERVICE_TRIM_US / 10,
                                      give_memory_back, service);
}

/* On how many this process may run; where it cannot be said, there are very many. */
static unsigned processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : CPU_SETSIZE;
}

int service_init(struct service *service, const struct hawser_stack_options *options)
{
    *service = (struct service){.control = CONTROL_NONE};
    list_init(&service->doors);
    list_init(&service->parts);
    joints_init(&service->joints);
    choice_init(&service->choice);
    busy_poll_init(&service->busy_poll, processors());
    int error = hawser_host_new(options, &service->host);
    if (error == 0) {
        const struct hawser_conn_options far = {.size = sizeof(far), .unreachable_at_once = true};
        stack_dialer_init(&service->direct, hawser_host_stack(service->host), &service->choice, &far);
        service->far = &service->direct.dialer;
        error = sd_event_new(&service->loop);
    }
    if (error >= 0)
        error = watch_host(service);
    if (error >= 0)
        error = give_memory_back_at_times(service);
    if (error < 0)
        service_end(service);
    else
        service->since_ns = hawser_host_now(service->host);
    return error < 0 ? error : 0;
}

int service_control(struct service *service, const char *path, const char *group, char *why, size_t why_size)
{
    int fd = control_listen(path, group, why, why_size);
    if (fd < 0)
        return fd;
    service->control_path = strdup(path);
    int error = service->control_path ? control_open(&service->control, service->loop, fd) : -ENOMEM;
    if (error < 0) {
        snprintf(why, why_size, "no control socket: %s", strerror(-error));
        control_unlink(path);
        close(fd);
    }
    return error;
}

int service_add_link(struct service *service, const char *spec, char *why, size_t why_size)
{
    int index = hawser_host_add_link(service->host, spec, why, why_size);
    service->links_alive += index >= 0;
    return index;
}

int service_add_own_device(struct service *service, const char *device, const char *rest, char *why, size_t why_size)
{
    char spec[64];
    snprintf(spec, sizeof spec, "tun,dev=%s,%s", device, rest);
    int link = service_add_link(service, spec, why, why_size);
    if (link == -EBUSY)
        snprintf(why, why_size,
                 "device %s is in use: another hawser up is at work on this host, which pgrep -af \"hawser up\" shows: "
                 "use that, or end it by hawser down with its --control",
                 device);
    return link;
}

int service_add_door(struct service *service, int link, const char *name, const struct door_options *options,
                     struct service_door **out)
{
    struct door_options complete = *options;
    if (!complete.far)
        complete.far = service->far;
    struct service_door *door = calloc(1, sizeof *door);
    int error = door && (door->name = strdup(name)) ? 0 : -ENOMEM;
    if (!error)
        error = door_open(hawser_host_stack(service->host), link, &service->joints, &complete, &door->door);
    if (error) {
        free(door ? door->name : NULL);
        free(door);
        return error;
    }
    door->link_index = link;
    list_push_back(&service->doors, &door->link);
    if (out)
        *out = door;
    return 0;
}

void service_drop_door(struct service *service, struct service_door *door)
{
    (void)service;
    list_remove(&door->link);
    door_close(door->door);
    free(door->name);
    free(door);
}

/* `error` is what a step of the host said. */
static void note_loss(struct service *service, int error)
{
    if (error == 0)
        return;
    command_say(LOG_WARNING, "up", "a device was deleted: what used it goes on by the others");
    if (--service->links_alive == 0)
        sd_event_exit(service->loop, command_fail("up", "it was the last one"));
}

void service_remove_link(struct service *service, int link)
{
    note_loss(service, hawser_host_step(service->host));
    service->links_alive -= hawser_host_remove_link(service->host, link) == 0;
}

void service_close_door(struct service *service, struct service_door *door)
{
    int link = door->link_index;
    door_shut(door->door);
    joints_break_link(&service->joints, link);
    note_loss(service, hawser_host_step(service->host));
    service_drop_door(service, door);
    service->links_alive -= hawser_host_remove_link(service->host, link) == 0;
}

void service_add_part(struct service *service, struct service_part *part)
{
    list_push_back(&service->parts, &part->link);
}

int service_set_backups(struct service *service, const char *const *names, unsigned count)
{
    struct name_list backup = {.count = 0};
    int error = 0;
    for (unsigned i = 0; i < count && !error; i++)
        error = names_add(&backup, names[i]);
    if (error)
        return error;
    service->choice.backup = backup;
    for (unsigned i = 0; i < service->choice.source_count; i++) {
        const struct choice_source *source = &service->choice.sources[i];
        if (!source->gone)
            hawser_stack_set_backup(hawser_host_stack(service->host), &source->addr,
                                    names_have(&backup, source->uplink));
    }
    return 0;
}

static void look_at_parts(struct service *service)
{
    LIST_EACH (it, &service->parts) {
        struct service_part *part = LIST_ENTRY(it, struct service_part, link);
        if (part->look)
            part->look(part);
    }
}

static void serve_doors(struct service *service, uint64_t now_ns)
{
    LIST_EACH (it, &service->doors)
        door_turn(LIST_ENTRY(it, struct service_door, link)->door, now_ns);
}

/* Returns whether another one is due at once. */
static bool take_turn(struct service *service)
{
    note_loss(service, host_take_in(service->host));
    look_at_parts(service);
    const uint64_t now_ns = hawser_host_now(service->host);
    watch_serve(hawser_host_stack(service->host), now_ns);
    serve_doors(service, now_ns);
    bool moves = joints_turn(&service->joints);
    return host_send_out(service->host) || moves;
}

static bool goes_on(const struct service *service) { return sd_event_get_state(service->loop) != SD_EVENT_FINISHED; }

/* Until there is something to do. Returns what sd_event_run() says, as does the next one. */
static int wait_for_source(struct service *service)
{
    uint64_t began_ns = hawser_host_now(service->host), now_ns = began_ns;
    uint64_t until_ns = busy_poll_begin(&service->busy_poll, now_ns);
    int n = 0;
    while (n == 0 && now_ns < until_ns) {
        n = sd_event_run(service->loop, 0);
        now_ns = hawser_host_now(service->host);
    }
    uint64_t looked_ns = now_ns - began_ns;
    if (n == 0) {
        n = sd_event_run(service->loop, UINT64_MAX);
        now_ns = hawser_host_now(service->host);
    }
    busy_poll_end(&service->busy_poll, looked_ns, now_ns);
    return n;
}

/* Sleeps until there is something to do, unless there is. */
static int serve_sources(struct service *service, bool busy)
{
    service->host_ready = false;
    uint64_t until_ns = 0;
    int n = busy ? sd_event_run(service->loop, 0) : wait_for_source(service);
    for (unsigned i = 1; n > 0 && !service->host_ready && i < SERVICE_DISPATCHES && goes_on(service); i++) {
        uint64_t now_ns = hawser_host_now(service->host);
        if (i == 1)
            until_ns = now_ns + SERVICE_DISPATCH_US * NS_PER_US;
        if (now_ns >= until_ns)
            break;
        n = sd_event_run(service->loop, 0);
    }
    return n;
}

int service_run(struct service *service)
{
    int status = 0;
    while (goes_on(service)) {
        int error = serve_sources(service, take_turn(service));
        if (error < 0 && error != -EINTR)
            return command_fail("up", "cannot wait for events: %s", strerror(-error));
    }
    sd_event_get_exit_code(service->loop, &status);
    return status;
}

static void end_host(struct service *service)
{
    struct hawser_unfinished left;
    LIST_EACH (it, &service->doors)
        door_shut(LIST_ENTRY(it, struct service_door, link)->door);
    hawser_host_step(service->host);
    LIST_EACH (it, &service->doors)
        service_drop_door(service, LIST_ENTRY(it, struct service_door, link));
    joints_break(&service->joints);
    LIST_EACH (it, &service->parts) {
        struct service_part *part = LIST_ENTRY(it, struct service_part, link);
        list_remove(it);
        if (part->stop)
            part->stop(part);
    }
    hawser_host_drain(service->host, SERVICE_PATIENCE_NS, &left);
}

void service_end(struct service *service)
{
    control_close(&service->control);
    if (service->control_path)
        control_unlink(service->control_path);
    free(service->control_path);
    service->control_path = NULL;
    if (service->host)
        end_host(service);
    service->loop = sd_event_unref(service->loop);
    if (service->host)
        hawser_host_free(service->host);
    service->host = NULL;
}
