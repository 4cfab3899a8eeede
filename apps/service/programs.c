#include "service/programs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/host_hub.h"
#include "service/program_filter.h"

struct program {
    struct list link;
    struct hub_member *member;
    uid_t user;
    unsigned slot;
};

struct programs {
    struct service *service;
    struct link *hub; /* the host's */
    struct netlink netlink;
    sd_event_source *looks;
    struct list all;
    unsigned count, last_slot;
    bool filtered; /* the packet filter has our table */
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

/* Round and round, so that an address is not soon another program's. */
static unsigned next_slot(struct programs *p)
{
    do
        p->last_slot = (p->last_slot + 1) % PROGRAM_SLOTS;
    while (slot_taken(p, p->last_slot));
    return p->last_slot;
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

static void forget(struct programs *p, struct program *program)
{
    struct program_addresses addresses;
    program_addresses(program->slot, &addresses);
    hub_remove(program->member);
    joints_bereave(&p->service->joints, &addresses.v4);
    joints_bereave(&p->service->joints, &addresses.v6);
    list_remove(&program->link);
    p->count--;
    free(program);
}

/* Those whose namespace has gone. */
static int look(sd_event_source *source, void *user)
{
    struct programs *p = user;
    void *gone;
    (void)source;
    while (hub_next_gone(p->hub, &gone))
        forget(p, gone);
    return 0;
}

static int open_door(struct programs *p, const struct door_options *options)
{
    int link = host_add_hub(p->service->host, PROGRAM_MTU, &p->hub);
    if (link < 0)
        return link;
    int error = service_add_door(p->service, link, "programs", options, NULL);
    return error ? error : sd_event_add_post(p->service->loop, &p->looks, look, p);
}

int programs_start(struct service *service, const struct door_options *options, struct programs **out, char *why,
                   size_t why_size)
{
    struct programs *p = calloc(1, sizeof *p);
    if (p) {
        p->service = service;
        list_init(&p->all);
    }
    int error = p ? netlink_open(&p->netlink) : -ENOMEM;
    if (!error)
        error = open_door(p, options);
    if (error < 0) {
        snprintf(why, why_size, "no door for programs: %s", strerror(-error));
        programs_stop(p);
        return error;
    }
    program_net_sweep(&p->netlink);
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
    if (p->filtered)
        return 0;
    int error = program_filter_set(why, why_size);
    p->filtered = error == 0;
    return error;
}

static int take_in(struct programs *p, struct program *program, struct program_net *net, char *why, size_t why_size)
{
    struct program_addresses addresses;
    program_addresses(program->slot, &addresses);
    const struct hawser_addr behind[] = {addresses.v4, addresses.v6};
    int error =
        host_hub_adopt(p->service->host, p->hub, net->served, behind, HW_ARRAY_LEN(behind), program, &program->member);
    if (!error) {
        list_push_back(&p->all, &program->link);
        p->count++;
        return 0;
    }
    snprintf(why, why_size, "the service cannot serve another device: %s", strerror(-error));
    program_net_remove(&p->netlink, program->slot);
    close(net->served);
    close(net->spare);
    return error;
}

int programs_admit(struct programs *p, int namespace, uid_t user, struct program_grant *out, char *why, size_t why_size)
{
    struct program_net net;
    int error = program_net_check(namespace, user, why, why_size);
    if (!error)
        error = may_come(p, user, why, why_size);
    if (error)
        return error;
    struct program *program = calloc(1, sizeof *program);
    if (!program) {
        snprintf(why, why_size, "the service is out of memory: end something, and try again");
        return -ENOMEM;
    }
    *program = (struct program){.user = user, .slot = next_slot(p)};
    error = program_net_make(&p->netlink, namespace, program->slot, &net, why, why_size);
    if (!error)
        error = take_in(p, program, &net, why, why_size);
    if (error) {
        free(program);
        return error;
    }
    *out = (struct program_grant){.has_v6 = has_v6(p), .pair_v6 = net.v6, .spare = net.spare};
    program_addresses(program->slot, &out->addresses);
    return 0;
}

unsigned programs_count(const struct programs *p) { return p->count; }

void programs_stop(struct programs *p)
{
    if (!p)
        return;
    LIST_EACH (it, &p->all)
        program_net_remove(&p->netlink, LIST_ENTRY(it, struct program, link)->slot);
    LIST_EACH (it, &p->all)
        free(LIST_ENTRY(it, struct program, link));
    if (p->filtered)
        program_filter_remove();
    sd_event_source_disable_unref(p->looks);
    netlink_close(&p->netlink);
    free(p);
}
