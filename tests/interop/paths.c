/*
 * The Hawser end of tests/interop/paths: one connection, over which some data goes all the time, and that is looked at
 * and told things by lines on standard input.
 *
 *   paths connect|listen MANAGER ADDRESS PORT LINK...
 *
 *   subflows        prints a line each: id, local and remote address, "backup" or "regular"; then a full stop
 *   backup ID 0|1   hawser_subflow_set_backup()
 *   quit
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hawser/hawser.h>

#define TICK_MS 10
#define TICK_NS (TICK_MS * UINT64_C(1000000))

struct end {
    struct hawser_host *host;
    struct hawser_listener *listener;
    struct hawser_conn *conn;
};

static void check(int error, const char *what)
{
    if (error == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(-error));
    exit(1);
}

static void print_subflows(const struct hawser_conn *conn)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    char local[HAWSER_ADDR_STRLEN], remote[HAWSER_ADDR_STRLEN];
    for (size_t i = 0; conn && hawser_subflow_get_info(conn, i, &info) == 0; i++) {
        info.local.port = info.remote.port = 0;
        printf("%u %s %s %s\n", (unsigned)info.id, hawser_addr_format(&info.local, local, sizeof local),
               hawser_addr_format(&info.remote, remote, sizeof remote), info.backup ? "backup" : "regular");
    }
    printf(".\n");
    fflush(stdout);
}

/* False: that was the last one. */
static bool obey(struct end *e, char *line)
{
    const char *word = strtok(line, " \n");
    if (!word || strcmp(word, "quit") == 0)
        return false;
    if (strcmp(word, "subflows") == 0) {
        print_subflows(e->conn);
    } else if (strcmp(word, "backup") == 0) {
        const char *id = strtok(NULL, " \n"), *flag = strtok(NULL, " \n");
        if (id && flag && e->conn)
            check(hawser_subflow_set_backup(e->conn, (uint32_t)strtoul(id, NULL, 10), *flag == '1'), "backup");
    }
    return true;
}

static void move(struct end *e)
{
    static char bytes[16384];
    while (hawser_recv(e->conn, bytes, sizeof bytes) > 0)
        ;
    (void)hawser_send(e->conn, bytes, sizeof bytes);
    check(hawser_conn_error(e->conn), "connection");
}

static void run(struct end *e)
{
    char line[256];
    uint64_t next_ns = 0;
    for (;;) {
        struct pollfd fds[] = {{.fd = hawser_host_fd(e->host), .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        (void)poll(fds, 2, TICK_MS);
        (void)hawser_host_step(e->host);
        bool ticks = hawser_host_now(e->host) >= next_ns;
        if (e->listener && !e->conn)
            (void)hawser_accept(e->listener, &e->conn);
        if (e->conn && ticks) {
            move(e);
            next_ns = hawser_host_now(e->host) + TICK_NS;
        }
        if (fds[1].revents && (!fgets(line, sizeof line, stdin) || !obey(e, line)))
            return;
        (void)hawser_host_step(e->host);
    }
}

int main(int argc, char **argv)
{
    struct end e = {0};
    struct hawser_addr addr;
    char why[256];
    if (argc < 6)
        return 2;
    setvbuf(stdin, NULL, _IONBF, 0);
    const struct hawser_path_options paths = {.size = sizeof paths, .manager = hawser_path_manager_find(argv[2])};
    const struct hawser_conn_options options = {.size = sizeof options, .paths = &paths};
    check(hawser_addr_parse(&addr, argv[3], (uint16_t)atoi(argv[4])), "address");
    check(hawser_host_new(NULL, &e.host), "host");
    for (int i = 5; i < argc; i++)
        if (hawser_host_add_link(e.host, argv[i], why, sizeof why) < 0) {
            fprintf(stderr, "%s: %s\n", argv[i], why);
            return 1;
        }
    struct hawser_stack *stack = hawser_host_stack(e.host);
    if (strcmp(argv[1], "listen") == 0)
        check(hawser_listen(stack, &addr, 4, &options, &e.listener), "listen");
    else
        check(hawser_connect(stack, &addr, &options, hawser_host_now(e.host), &e.conn), "connect");
    printf(".\n"); /* the devices are there */
    fflush(stdout);
    run(&e);
    hawser_host_free(e.host);
    return 0;
}
