/*
 * A path manager of one's own, in one file: a connection has as many subflows as it needs, and no more. It begins with
 * one; when the bytes it has moved double, and another pair of addresses is there, the next one is opened; when the
 * round trip of one is four times that of the fastest, and is felt, it is closed, and not opened again.
 *
 * Two hosts in one process show it; exit status 0 only when a second subflow came.
 */
#include <stdio.h>

#include <hawser/hawser.h>

#define FIRST_STEP (64u * 1024)     /* bytes, before the second subflow */
#define TOO_SLOW 4                  /* times the fastest round trip, */
#define FELT_NS UINT64_C(200000000) /* and no less than this: a busy machine alone takes milliseconds */
#define PATIENCE_NS UINT64_C(30000000000)

static void open_one(struct hawser_pm *pm, const struct hawser_pm_view *view)
{
    for (unsigned r = 0; r < view->remote_count; r++)
        for (unsigned l = 0; l < view->local_count; l++)
            if (hawser_pm_tries(pm, l, r) == 0 && !view->locals[l]->first && hawser_pm_open(pm, l, r, false) == 0)
                return;
}

static void close_slow(struct hawser_pm *pm, const struct hawser_pm_view *view)
{
    uint64_t fastest_ns = UINT64_MAX;
    for (unsigned i = 0; i < view->subflow_count; i++)
        if (view->subflows[i]->srtt_ns && view->subflows[i]->srtt_ns < fastest_ns)
            fastest_ns = view->subflows[i]->srtt_ns;
    for (unsigned i = 0; i < view->subflow_count; i++)
        if (view->subflows[i]->srtt_ns / TOO_SLOW > fastest_ns && view->subflows[i]->srtt_ns > FELT_NS)
            (void)hawser_pm_close(pm, i, 3); /* RFC 8684 3.6: prohibited; -EBUSY where it is the only one */
}

static void event(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    uint64_t *step = (uint64_t *)view->memory;
    if (!step)
        return;
    if (what & HAWSER_PM_CONFIRMED)
        *step = FIRST_STEP;
    if (view->bytes >= *step || view->rescue) {
        *step = 2 * view->bytes + FIRST_STEP;
        open_one(pm, view);
    }
    hawser_pm_tell_at(pm, *step);
    close_slow(pm, view);
}

static const struct hawser_path_manager doubling = {
    .size = sizeof doubling, .name = "doubling", .conn_bytes = sizeof(uint64_t), .event = event};

/* Moves bytes from one host of this process to another until a second subflow has come; returns how many there are. */
static uint32_t move(struct hawser_host *a, struct hawser_host *b, struct hawser_listener *listener,
                     struct hawser_conn *to)
{
    static char bytes[4096];
    struct hawser_conn *from = NULL;
    struct hawser_conn_info info = {.size = sizeof info};
    const uint64_t end_ns = hawser_host_now(a) + PATIENCE_NS;
    while (info.subflows < 2 && !hawser_conn_error(to) && hawser_host_now(a) < end_ns) {
        while (hawser_send(to, bytes, sizeof bytes) > 0)
            ;
        if (!from)
            (void)hawser_accept(listener, &from);
        while (from && hawser_recv(from, bytes, sizeof bytes) > 0)
            ;
        (void)hawser_host_step(a);
        (void)hawser_host_step(b);
        (void)hawser_conn_get_info(to, &info);
    }
    return info.subflows;
}

int main(void)
{
    static const char *const texts[2][2] = {{"10.1.0.1", "10.1.0.2"}, {"10.2.0.1", "10.2.0.2"}};
    const struct hawser_path_options paths = {.size = sizeof paths, .manager = &doubling};
    const struct hawser_conn_options options = {.size = sizeof options, .paths = &paths};
    struct hawser_host *host[2];
    struct hawser_addr at[2], any = {.port = 5000}, server;
    struct hawser_listener *listener;
    struct hawser_conn *conn;
    if (hawser_host_new(NULL, &host[0]) < 0 || hawser_host_new(NULL, &host[1]) < 0)
        return 1;
    for (int path = 0; path < 2; path++)
        if (hawser_addr_parse(&at[0], texts[path][0], 0) < 0 || hawser_addr_parse(&at[1], texts[path][1], 0) < 0 ||
            hawser_host_add_pair(host[0], &at[0], host[1], &at[1], 24) < 0)
            return 1;
    (void)hawser_addr_parse(&server, texts[0][1], any.port);
    if (hawser_listen(hawser_host_stack(host[1]), &any, 1, NULL, &listener) < 0 ||
        hawser_connect(hawser_host_stack(host[0]), &server, &options, hawser_host_now(host[0]), &conn) < 0)
        return 1;
    uint32_t subflows = move(host[0], host[1], listener, conn);
    printf("%u subflows\n", (unsigned)subflows);
    hawser_host_free(host[0]);
    hawser_host_free(host[1]);
    return subflows > 1 ? 0 : 1;
}
