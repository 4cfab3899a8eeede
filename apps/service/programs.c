#include "service/programs.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <unistd.h>

#include "commands.h"
#include "run/host_hub.h"
#include "service/aside.h"
#include "service/filter_watch.h"
#include "service/lookout.h"
#include "service/program_filter.h"

enum { PROGRAMS_WHY_SIZE = 512 };

/* Devices that are being made. */
struct making {
    struct aside_job job;
    struct programs *programs;
    struct program_request *request;
    struct program *program;
    int namespace, error;
    struct program_net net;
    char why[PROGRAMS_WHY_SIZE];
};

struct program {
    struct list link;
    struct programs *programs;
    struct hub_member *member; /* NULL: they are being made, or taken away */
    struct aside_job leaving;
    uid_t user;
    unsigned slot;
    struct program_wishes wishes;
    struct program_ports ports;
};

/* The packet filter's table, which somebody else has flushed, is set anew. */
struct mending {
    struct aside_job job;
    struct programs *programs;
    bool under_way, again;
    int error;
    char why[PROGRAMS_WHY_SIZE];
};

struct programs {
    struct service_part part;
    struct service *service;
    struct link *hub; /* the host's */
    int link;         /* it, in the stack */
    struct stalls *stalls;
    const struct port_ranges *allowed;
    struct aside *aside;
    /* While that works, these are its own: where requests go, and whether the packet filter has our table. */
    struct netlink netlink;
    bool filtered;
    struct lookout lookout;
    struct netlink quick; /* what the loop itself asks for */
    struct filter_watch watch;
    struct mending mending;
    sd_event_source *news;
    struct list all;
    unsigned count, last_slot;
};

static unsigned count_of(const struct programs *p, uid_t user)
{
    unsigned count = 0;
    LIST_EACH (it, &p->all)
        count += LIST_ENTRY(it, struct program, link)->user == user;
    return count;
}

static bool slot_taken(const struct programs *p, unsigned slot)
{
    LIST_EACH (it, &p->all) {
        if (LIST_ENTRY(it, struct program, link)->slot == slot)
            return true;
    }
    return false;
}

static bool pair_exists(unsigned slot)
{
    char name[IFNAMSIZ];
    program_pair_name(slot, name);
    return if_nametoindex(name) != 0;
}

/* Round and round, so that an address is not soon another program's. Somebody else's device may have a pair's name. */
static int next_slot(struct programs *p, unsigned *out, char *why, size_t why_size)
{
    bool hopeless = false;
    snprintf(why, why_size,
             "devices of this host have all %d names of " PROGRAM_DEVICE_PREFIX "0 and so on: delete those that are "
             "not Hawser's",
             PROGRAM_SLOTS);
    for (unsigned tried = 0; tried < PROGRAM_SLOTS && !hopeless; tried++) {
        p->last_slot = (p->last_slot + 1) % PROGRAM_SLOTS;
        *out = p->last_slot;
        if (!slot_taken(p, *out) && !pair_exists(*out) && !program_net_taken(*out, &hopeless, why, why_size)) {
            why[0] = '\0';
            return 0;
        }
    }
    return -ENOSPC;
}

static bool has_v6(struct programs *p)
{
    static const struct hawser_addr anywhere = {.ip = {0x20, [15] = 1}, .port = 9};
    struct hawser_conn *conn;
    int error =
        hawser_connect(hawser_host_stack(p->service->host), &anywhere, NULL, hawser_host_now(p->service->host), &conn);
    if (error == 0)
        hawser_abort(conn);
    return error == 0;
}

static void drop(struct programs *p, struct program *program)
{
    program_ports_close(&program->ports);
    list_remove(&program->link);
    p->count--;
    free(program);
}

/* In the thread. */
static void remove_pair(struct aside_job *job)
{
    struct program *program = HW_CONTAINER(job, struct program, leaving);
    program_net_remove(&program->programs->netlink, program->slot);
}

static void has_left(struct aside_job *job)
{
    struct program *program = HW_CONTAINER(job, struct program, leaving);
    drop(program->programs, program);
}

/* Whoever is root of a namespace may delete its door, and keep the rest: the pair goes, too, and counts until then. */
static void leave(struct programs *p, struct program *program)
{
    program_ports_close(&program->ports);
    program->member = NULL;
    program->leaving = (struct aside_job){.work = remove_pair, .done = has_left};
    if (aside_do(p->aside, &program->leaving, program->user) < 0)
        drop(p, program);
}

static void forget(struct programs *p, struct program *program)
{
    struct program_addresses addresses;
    program_addresses(program->slot, &addresses);
    hub_remove(program->member);
    joints_bereave(&p->service->joints, &addresses.v4);
    joints_bereave(&p->service->joints, &addresses.v6);
    leave(p, program);
}

/* Those whose namespace has gone. */
static void look(struct service_part *part)
{
    struct programs *p = HW_CONTAINER(part, struct programs, part);
    void *gone;
    while (hub_next_gone(p->hub, &gone))
        forget(p, gone);
}

static const struct demands *demands_of(void *of, const struct hawser_addr *client)
{
    struct programs *p = of;
    const struct program *program = hub_owner(p->hub, client);
    const struct demands *demands = program ? &program->wishes.demands : NULL;
    return demands && (demands->only.count || demands->backup.count || demands->mptcp) ? demands : NULL;
}

static int open_door(struct programs *p, const struct door_options *options)
{
    struct door_options own = *options;
    own.demands = demands_of;
    own.of = p;
    p->link = host_add_hub(p->service->host, PROGRAM_MTU, &p->hub);
    if (p->link < 0)
        return p->link;
    int error = service_add_door(p->service, p->link, "programs", &own, NULL);
    if (error == 0)
        service_add_part(p->service, &p->part);
    return error;
}

static void mend(struct programs *p)
{
    p->mending.again = p->mending.under_way;
    if (!p->mending.under_way)
        p->mending.under_way = aside_do(p->aside, &p->mending.job, ASIDE_NO_USER) == 0;
}

/* In the thread. */
static void set_again(struct aside_job *job)
{
    struct mending *m = HW_CONTAINER(job, struct mending, job);
    m->error = m->programs->filtered ? program_filter_set(m->why, sizeof(m->why)) : 0;
}

static void is_set(struct aside_job *job)
{
    struct mending *m = HW_CONTAINER(job, struct mending, job);
    m->under_way = false;
    if (job->skipped)
        return;
    if (m->error)
        command_say(LOG_WARNING, "up", "programs have TCP only, as their table of the packet filter is gone: %s",
                    m->why);
    if (m->again)
        mend(m->programs);
}

static int filter_changed(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct programs *p = user;
    (void)source;
    (void)fd;
    (void)events;
    if (filter_watch_read(&p->watch))
        mend(p);
    return 0;
}

/* Somebody may have set devices down. */
static int mend_devices(void *of, char *why, size_t why_size)
{
    struct programs *p = of;
    (void)why;
    (void)why_size;
    LIST_EACH (it, &p->all) {
        const struct program *program = LIST_ENTRY(it, struct program, link);
        if (program->member)
            program_net_mend(&p->quick, program->slot);
    }
    return 0;
}

static int watch_devices(struct programs *p)
{
    int error = lookout_open(&p->lookout, p->service->loop, mend_devices, p);
    if (!error)
        lookout_see_own(&p->lookout);
    return error;
}

/* A kernel without a packet filter has no table either. */
static int watch_filter(struct programs *p)
{
    p->mending = (struct mending){.job = {.work = set_again, .done = is_set}, .programs = p};
    if (filter_watch_open(&p->watch, PROGRAM_FILTER_TABLE) < 0)
        return 0;
    return sd_event_add_io(p->service->loop, &p->news, filter_watch_fd(&p->watch), EPOLLIN, filter_changed, p);
}

int programs_start(struct service *service, const struct door_options *options, struct stalls *stalls,
                   const struct port_ranges *allowed, struct programs **out, char *why, size_t why_size)
{
    struct programs *p = calloc(1, sizeof *p);
    if (p) {
        p->service = service;
        p->stalls = stalls;
        p->allowed = allowed;
        list_init(&p->all);
        list_init(&p->part.link);
        p->part.look = look;
    }
    int error = p ? netlink_open(&p->netlink) : -ENOMEM;
    if (!error)
        error = netlink_open(&p->quick);
    if (!error)
        error = aside_new(service->loop, &p->aside);
    if (!error)
        error = open_door(p, options);
    if (error >= 0)
        error = watch_filter(p);
    if (error >= 0)
        error = watch_devices(p);
    if (error < 0) {
        snprintf(why, why_size, "no door for programs: %s", strerror(-error));
        programs_stop(p);
        return error;
    }
    if (program_net_sweep(&p->netlink) != -EPERM)
        program_filter_remove();
    *out = p;
    return 0;
}

static int may_come(struct programs *p, uid_t user, char *why, size_t why_size)
{
    if (p->count == PROGRAMS_MAX) {
        snprintf(why, why_size, "%d programs run already: wait for one to end", PROGRAMS_MAX);
        return -ENOSPC;
    }
    if (user != 0 && count_of(p, user) >= PROGRAMS_OF_USER_MAX) {
        snprintf(why, why_size, "%d programs of yours run already: wait for one to end", PROGRAMS_OF_USER_MAX);
        return -EDQUOT;
    }
    return 0;
}

/* In the thread. */
static void make(struct aside_job *job)
{
    struct making *m = HW_CONTAINER(job, struct making, job);
    struct programs *p = m->programs;
    m->error = p->filtered ? 0 : program_filter_set(m->why, sizeof(m->why));
    p->filtered |= m->error == 0;
    if (!m->error)
        m->error = program_net_make(&p->netlink, m->namespace, m->program->slot, &m->net, m->why, sizeof(m->why));
}

static void serve_device(struct making *m)
{
    struct programs *p = m->programs;
    struct program_addresses addresses;
    program_addresses(m->program->slot, &addresses);
    const struct hawser_addr behind[] = {addresses.v4, addresses.v6};
    m->error = host_hub_adopt(p->service->host, p->hub, m->net.served, behind, HW_ARRAY_LEN(behind), m->program,
                              &m->program->member);
    if (!m->error)
        return;
    snprintf(m->why, sizeof(m->why), "the service cannot serve another device: %s", strerror(-m->error));
    close(m->net.served);
    close(m->net.spare);
}

static void made(struct aside_job *job)
{
    struct making *m = HW_CONTAINER(job, struct making, job);
    struct programs *p = m->programs;
    if (job->skipped) {
        m->error = -ECANCELED;
        snprintf(m->why, sizeof(m->why), "the service is ending: start it again by hawser up");
    }
    bool there = !m->error;
    if (there)
        serve_device(m);
    if (m->error) {
        (there ? leave : drop)(p, m->program);
        m->request->decided(m->request, NULL, m->why);
    } else {
        struct program_grant grant = {.has_v6 = has_v6(p), .pair_v6 = m->net.v6, .spare = m->net.spare};
        program_addresses(m->program->slot, &grant.addresses);
        m->program->ports.has_v6 = grant.has_v6;
        m->request->decided(m->request, &grant, NULL);
    }
    close(m->namespace);
    free(m);
}

static unsigned ports_of(const struct programs *p, uid_t user)
{
    unsigned count = 0;
    LIST_EACH (it, &p->all) {
        const struct program *program = LIST_ENTRY(it, struct program, link);
        count += program->user == user ? program->ports.count : 0;
    }
    return count;
}

static int open_ports(struct programs *p, struct program *program, char *why, size_t why_size)
{
    const struct program_ports_source from = {.stalls = p->stalls,
                                              .choice = &p->service->choice,
                                              .allowed = p->allowed,
                                              .user = program->user,
                                              .others = ports_of(p, program->user),
                                              .link = p->link};
    struct program_addresses addresses;
    program_addresses(program->slot, &addresses);
    return program_ports_open(&program->ports, &from, &program->wishes, &addresses, why, why_size);
}

static int begin(struct programs *p, int namespace, uid_t user, const struct program_wishes *wishes,
                 struct program_request *request, char *why, size_t why_size)
{
    struct program *program = calloc(1, sizeof *program);
    struct making *m = calloc(1, sizeof *m);
    int error = -ENOMEM;
    if (program && m) {
        *program = (struct program){.programs = p, .user = user, .wishes = *wishes};
        *m = (struct making){.job = {.work = make, .done = made},
                             .programs = p,
                             .request = request,
                             .program = program,
                             .namespace = namespace};
        error = next_slot(p, &program->slot, why, why_size);
    }
    if (!error)
        error = open_ports(p, program, why, why_size);
    if (!error) {
        error = aside_do(p->aside, &m->job, user);
        if (error)
            program_ports_close(&program->ports);
    }
    if (error) {
        free(program);
        free(m);
        return error;
    }
    list_push_back(&p->all, &program->link);
    p->count++;
    return 0;
}

int programs_read_wishes(const struct programs *p, const json_t *body, struct program_wishes *out, char *why,
                         size_t why_size)
{
    int error = program_wishes_read(body, &p->service->choice, out, why, why_size);
    if (error || !out->demands.mptcp || !p->service->direct.options.no_mptcp)
        return error;
    snprintf(why, why_size,
             "the service speaks plain TCP only, so that no connection would come about: start it "
             "without --tcp, or with mptcp = true");
    return -EINVAL;
}

int programs_admit(struct programs *p, int namespace, uid_t user, const struct program_wishes *wishes,
                   struct program_request *request, char *why, size_t why_size)
{
    int error = program_net_check(namespace, user, why, why_size);
    if (!error)
        error = may_come(p, user, why, why_size);
    if (error)
        return error;
    why[0] = '\0';
    error = begin(p, namespace, user, wishes, request, why, why_size);
    if (error && !why[0])
        snprintf(why, why_size, "the service cannot take in a program: %s", strerror(-error));
    return error;
}

const char *programs_name_at(const struct programs *p, const struct hawser_addr *addr, uid_t *user)
{
    const struct program *program = hub_owner(p->hub, addr);
    if (!program)
        return NULL;
    *user = program->user;
    return program->wishes.name;
}

unsigned programs_count(const struct programs *p) { return p->count; }

void programs_stop(struct programs *p)
{
    if (!p)
        return;
    list_remove(&p->part.link);
    sd_event_source_disable_unref(p->news);
    filter_watch_close(&p->watch);
    lookout_close(&p->lookout);
    aside_end(p->aside);
    if (p->netlink.socket)
        program_net_sweep(&p->netlink);
    LIST_EACH (it, &p->all)
        drop(p, LIST_ENTRY(it, struct program, link));
    if (p->filtered)
        program_filter_remove();
    netlink_close(&p->netlink);
    netlink_close(&p->quick);
    free(p);
}
