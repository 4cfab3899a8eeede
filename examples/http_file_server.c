/*
 * Serves the files below a directory: GET and HEAD, single ranges, connections that stay open. Files are mapped, and
 * their bytes leave from where they lie.
 *
 *     http_file_server ROOT PORT LINK...    each link as in hawser_host_add_link(); until SIGINT or SIGTERM
 *     http_file_server --self-test [N]      server and clients in this process, without any privilege
 *
 * After the first signal it takes no new clients, and those that have asked get their answers; the second one ends it
 * at once. Clients that ask for nothing more, or do not take what they asked for, are left after a while.
 *
 * Who truncates a file while it is sent ends the server (SIGBUS): replace files by rename() instead.
 */
#define _GNU_SOURCE /* signalfd, strcasecmp, memmem */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <hawser/hawser.h>

enum { BACKLOG = 1024, CONNECTIONS_MAX = 10000, REQUEST_MAX = 8192, HEAD_MAX = 512, PATH_BYTES_MAX = 1024 };

/* A connection is charged for a buffer as long as any byte of it is under way: so a file goes out in pieces. */
enum { PIECE_BYTES = 256 * 1024 };

#define SECOND_NS UINT64_C(1000000000)
enum { SWEEP_MS = 500 };

/* How long it waits for clients. */
struct patience {
    uint64_t idle_ns;    /* with one that has all of its answers, and does not ask, or not to the end */
    uint64_t taking_ns;  /* with one that takes nothing more of an answer, or whose network does not */
    uint64_t closing_ns; /* after the signal, with all of them */
};
static const struct patience patience = {60 * SECOND_NS, 30 * SECOND_NS, 10 * SECOND_NS};

static void check(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-error));
        exit(EXIT_FAILURE);
    }
}

/* Files */

/* A mapped file, held by the session that sends it and by each piece that is under way. */
struct file {
    uint8_t *bytes;
    size_t len;
    unsigned holders;
};

/* The release callback of pieces. Runs inside of calls into the stack, and makes none. */
static void file_drop(void *ctx)
{
    struct file *file = ctx;
    if (--file->holders > 0)
        return;
    if (file->len)
        munmap(file->bytes, file->len);
    free(file);
}

/* Maps the regular file `name` of a directory, one holder; NULL with errno otherwise. */
static struct file *file_map(int dir, const char *name)
{
    struct stat about;
    struct file *file = calloc(1, sizeof(*file));
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool good = file && fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    if (good) {
        *file = (struct file){.len = (size_t)about.st_size, .holders = 1};
        if (file->len)
            file->bytes = mmap(NULL, file->len, PROT_READ, MAP_PRIVATE, fd, 0);
        good = file->bytes != MAP_FAILED;
    }
    if (fd >= 0)
        close(fd);
    if (good)
        return file;
    free(file);
    return NULL;
}

/* Below `root`, one name after the other: neither ".." nor a symbolic link leads out of it. */
static struct file *file_find(int root, char *path)
{
    struct file *file = NULL;
    char *rest = path, *name;
    int dir = dup(root);
    while (dir >= 0 && !file && (name = strsep(&rest, "/"))) {
        if (rest && (!*name || strcmp(name, ".") == 0))
            continue;
        if (strcmp(name, "..") == 0)
            break;
        if (!rest) {
            file = file_map(dir, *name ? name : "index.html");
            break;
        }
        int below = openat(dir, name, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(dir);
        dir = below;
    }
    if (dir >= 0)
        close(dir);
    return file;
}

/* Sessions */

struct session {
    struct hawser_conn *conn;
    struct session *next, **at; /* of the server's list; `*at` is this one */
    char request[REQUEST_MAX];
    size_t request_len;
    char head[HEAD_MAX]; /* of the response */
    size_t head_len, head_sent;
    struct file *file;        /* what is left to be sent of it: */
    size_t body_at, body_end; /* these bytes */
    struct hawser_buf *piece; /* in which `body_at` lies */
    size_t piece_end;
    bool last;         /* no request after this one */
    uint64_t taken;    /* bytes of all that it sent that the client had when it was looked at last, */
    uint64_t taken_ns; /* and since when */
};

struct server {
    struct hawser_host *host;
    struct hawser_listener *listener; /* NULL: the last requests are answered */
    struct session *sessions;
    const struct patience *patience;
    uint64_t swept_ns; /* when idle sessions were looked for last */
    int root;          /* directory */
};

static void session_begin(struct server *server, struct hawser_conn *conn)
{
    struct session *s = calloc(1, sizeof(*s));
    if (!s) {
        hawser_abort(conn);
        return;
    }
    s->conn = conn;
    s->taken_ns = hawser_host_now(server->host);
    s->next = server->sessions;
    s->at = &server->sessions;
    if (s->next)
        s->next->at = &s->next;
    server->sessions = s;
    hawser_conn_set_user(conn, s);
}

/* Forgets the response. Pieces that are under way stay until the peer has them. */
static void session_drop_body(struct session *s)
{
    if (s->piece)
        hawser_buf_unref(s->piece);
    if (s->file)
        file_drop(s->file);
    s->piece = NULL;
    s->file = NULL;
}

static void session_end(struct session *s, void (*give_up)(struct hawser_conn *))
{
    session_drop_body(s);
    give_up(s->conn);
    *s->at = s->next;
    if (s->next)
        s->next->at = s->at;
    free(s);
}

/* Wraps the next bytes of the file. 0, or -ENOMEM. */
static int session_next_piece(struct server *server, struct session *s)
{
    size_t len = s->body_end - s->body_at < PIECE_BYTES ? s->body_end - s->body_at : PIECE_BYTES;
    if (s->piece)
        hawser_buf_unref(s->piece);
    s->piece = NULL;
    int error = hawser_buf_wrap(hawser_host_env(server->host), s->file->bytes + s->body_at, (uint32_t)len, file_drop,
                                s->file, &s->piece);
    if (error)
        return error;
    s->file->holders++;
    s->piece_end = s->body_at + len;
    return 0;
}

/* Sends as much of the response as there is room for. 0 when all of it was taken, or an error such as -EAGAIN. */
static int session_send(struct server *server, struct session *s)
{
    ssize_t n;
    for (; s->head_sent < s->head_len; s->head_sent += (size_t)n) {
        n = hawser_send(s->conn, s->head + s->head_sent, s->head_len - s->head_sent);
        if (n < 0)
            return (int)n;
    }
    for (; s->body_at < s->body_end; s->body_at += (size_t)n) {
        int error = s->piece && s->body_at < s->piece_end ? 0 : session_next_piece(server, s);
        if (error)
            return error;
        uint32_t len = (uint32_t)(s->piece_end - s->body_at);
        n = hawser_send_slice(s->conn, (struct hawser_slice){s->piece, s->file->bytes + s->body_at, len});
        if (n < 0)
            return (int)n;
    }
    session_drop_body(s);
    return 0;
}

/* Requests */

__attribute__((format(printf, 3, 4))) static void respond(struct session *s, const char *status, const char *format,
                                                          ...)
{
    char date[64], more[160];
    time_t now = time(NULL);
    struct tm utc;
    va_list args;
    va_start(args, format);
    vsnprintf(more, sizeof(more), format, args);
    va_end(args);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
    s->head_len = (size_t)snprintf(s->head, sizeof(s->head), "HTTP/1.1 %s\r\nDate: %s\r\nServer: hawser\r\n%s%s\r\n",
                                   status, date, more, s->last ? "Connection: close\r\n" : "");
    s->head_sent = s->body_at = s->body_end = 0;
}

static void refuse(struct session *s, const char *status)
{
    respond(s, status, "Content-Length: 0\r\n%s", *status == '4' && status[2] == '5' ? "Allow: GET, HEAD\r\n" : "");
}

/* Undoes %XX, in place, and cuts the query off. False: no good spelling, or a NUL. */
static bool decode_path(char *text)
{
    char *to = text;
    text[strcspn(text, "?#")] = '\0';
    for (; *text; text++, to++) {
        char hex[3] = {0}, *end;
        *to = *text;
        if (*text != '%')
            continue;
        memcpy(hex, text + 1, strnlen(text + 1, 2));
        *to = (char)strtoul(hex, &end, 16);
        if (end != hex + 2 || !*to)
            return false;
        text += 2;
    }
    *to = '\0';
    return true;
}

/* "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-COUNT" of `len` bytes. 1: it is one, 0: none that is understood and to
 * be ignored, -1: one that has no byte. */
static int read_range(const char *text, size_t len, size_t *first, size_t *end)
{
    uintmax_t from = 0, to = 0;
    char *rest;
    if (strncmp(text, "bytes=", 6) != 0)
        return 0;
    text += 6;
    bool suffix = *text == '-';
    if (!suffix) {
        from = strtoumax(text, &rest, 10);
        if (rest == text || *rest != '-')
            return 0;
        text = rest;
    }
    to = strtoumax(text + 1, &rest, 10);
    if (*rest || (suffix && rest == text + 1))
        return 0;
    if (suffix) {
        from = to < len ? len - to : 0;
        to = to ? len : 0;
    } else {
        to = rest == text + 1 || to >= len ? len : to + 1;
    }
    *first = (size_t)from;
    *end = (size_t)to;
    return from < to ? 1 : -1;
}

static void get(struct server *server, struct session *s, char *target, const char *range, bool body)
{
    size_t first = 0, end;
    if (*target != '/' || strlen(target) > PATH_BYTES_MAX || !decode_path(target)) {
        refuse(s, "400 Bad Request");
        return;
    }
    struct file *file = file_find(server->root, target + 1);
    if (!file) {
        refuse(s, "404 Not Found");
        return;
    }
    end = file->len;
    int part = range && body ? read_range(range, file->len, &first, &end) : 0;
    if (part < 0)
        respond(s, "416 Range Not Satisfiable", "Content-Length: 0\r\nContent-Range: bytes */%zu\r\n", file->len);
    else if (part)
        respond(s, "206 Partial Content", "Content-Length: %zu\r\nContent-Range: bytes %zu-%zu/%zu\r\n", end - first,
                first, end - 1, file->len);
    else
        respond(s, "200 OK", "Content-Length: %zu\r\nAccept-Ranges: bytes\r\n", file->len);
    s->file = file;
    s->body_at = body && part >= 0 ? first : 0;
    s->body_end = body && part >= 0 ? end : 0;
}

/* One request, NUL-terminated lines and all: says in the session what to answer. */
static void answer(struct server *server, struct session *s, char *text)
{
    char *line = strsep(&text, "\n"), *method = strsep(&line, " "), *target = strsep(&line, " "), *range = NULL;
    bool head = strcmp(method, "HEAD") == 0, bad = !target || !line || strncmp(line, "HTTP/1.", 7) != 0;
    s->last = bad || line[7] == '0' || !server->listener;
    while ((line = strsep(&text, "\n")) && *line && *line != '\r') {
        char *name = strsep(&line, ":");
        if (!line)
            continue;
        line[strcspn(line, "\r")] = '\0';
        line += strspn(line, " \t");
        if (strcasecmp(name, "connection") == 0)
            s->last |= strcasecmp(line, "close") == 0;
        else if (strcasecmp(name, "range") == 0)
            range = line;
        else if (strcasecmp(name, "transfer-encoding") == 0 || strcasecmp(name, "content-length") == 0)
            s->last = bad = true; /* what follows is no request, and we would not know where it ends */
    }
    if (bad)
        refuse(s, "400 Bad Request");
    else if (head || strcmp(method, "GET") == 0)
        get(server, s, target, range, !head);
    else
        refuse(s, "405 Method Not Allowed");
}

/* Answers the next request, if all of it is here, or notes that there will be none. 0; -EAGAIN; or what ends the
 * session. */
static int session_next_request(struct server *server, struct session *s)
{
    char *end;
    while (!(end = memmem(s->request, s->request_len, "\r\n\r\n", 4))) {
        if (s->request_len == sizeof(s->request)) {
            s->last = true;
            refuse(s, "431 Request Header Fields Too Large");
            return 0;
        }
        ssize_t n = hawser_recv(s->conn, s->request + s->request_len, sizeof(s->request) - s->request_len);
        s->last = n == 0 || (n == -EAGAIN && s->request_len == 0 && !server->listener);
        if (s->last)
            return 0;
        if (n < 0)
            return (int)n;
        s->request_len += (size_t)n;
    }
    size_t used = (size_t)(end + 4 - s->request);
    end[2] = '\0'; /* of the empty line */
    answer(server, s, s->request);
    s->request_len -= used;
    memmove(s->request, s->request + used, s->request_len);
    return 0;
}

/* Does what can be done, whatever the event was: answers one request after the other, as far as there is room. */
static void session_move(struct server *server, struct session *s)
{
    int error = s->head_len ? session_send(server, s) : 0;
    while (!error && !s->last) {
        s->head_len = 0;
        error = session_next_request(server, s);
        if (!error)
            error = session_send(server, s);
    }
    if (!error) { /* all of the last response is queued: it is over when the client has it, and has ended, too */
        ssize_t n;
        hawser_shutdown(s->conn);
        while ((n = hawser_recv(s->conn, s->request, sizeof(s->request))) > 0)
            ; /* nobody wants it, but a client that still sends is not to be reset */
        error = n ? (int)n : hawser_conn_ready(s->conn) & HAWSER_DELIVERED ? -ENODATA : -EAGAIN;
    }
    if (error != -EAGAIN && error != -ENOBUFS)
        session_end(s, hawser_close);
}

/* The server */

static struct hawser_host *new_host(void)
{
    struct hawser_stack_options options = {.size = sizeof(options), .max_connections = CONNECTIONS_MAX};
    struct hawser_host *host;
    check(hawser_host_new(&options, &host), "hawser_host_new");
    return host;
}

static void server_start(struct server *server, struct hawser_host *host, const char *root, uint16_t port,
                         const struct patience *how_long)
{
    struct hawser_addr any = {.port = port};
    struct hawser_conn_options options = {.size = sizeof(options), .user_timeout_ns = how_long->taking_ns};
    *server = (struct server){.host = host, .patience = how_long, .root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    check(server->root < 0 ? -errno : 0, root);
    check(hawser_listen(hawser_host_stack(host), &any, BACKLOG, &options, &server->listener), "listen");
}

/* Ends the sessions of clients that have taken nothing for too long: because they asked for nothing, or never end what
 * they ask, or never end. An answer that is not even queued, for want of memory, must not look like a whole one. */
static void server_sweep(struct server *server, uint64_t now_ns)
{
    struct hawser_conn_info info = {.size = sizeof(info)};
    for (struct session *s = server->sessions, *next; s; s = next) {
        next = s->next;
        hawser_conn_get_info(s->conn, &info);
        if (info.acked_bytes != s->taken) {
            s->taken = info.acked_bytes;
            s->taken_ns = now_ns;
        } else if (now_ns - s->taken_ns >= server->patience->idle_ns) {
            session_end(s, s->body_at < s->body_end ? hawser_abort : hawser_close);
        }
    }
    server->swept_ns = now_ns;
}

/* One turn: packets in, everything that waits for the program, packets out. */
static void server_turn(struct server *server)
{
    struct hawser_event event;
    struct hawser_conn *conn;
    check(hawser_host_step(server->host), "a link is gone");
    while (hawser_next_event(hawser_host_stack(server->host), &event)) {
        if (event.conn)
            session_move(server, event.user);
        while (event.listener && hawser_accept(event.listener, &conn) == 0)
            session_begin(server, conn);
    }
    uint64_t now_ns = hawser_host_now(server->host);
    if (now_ns - server->swept_ns >= SWEEP_MS * SECOND_NS / 1000)
        server_sweep(server, now_ns);
    check(hawser_host_step(server->host), "a link is gone");
}

/* No new clients. Those that ask for nothing are told the end now, the others when they have what they asked for. */
static void server_last_orders(struct server *server)
{
    hawser_listener_close(server->listener);
    server->listener = NULL;
    for (struct session *s = server->sessions, *next; s; s = next) {
        next = s->next;
        session_move(server, s);
    }
    check(hawser_host_step(server->host), "a link is gone");
}

/* Whoever is left is reset, and learns of it. Returns how many that were. */
static unsigned server_stop(struct server *server)
{
    unsigned left = 0;
    for (; server->sessions; left++)
        session_end(server->sessions, hawser_abort);
    hawser_host_free(server->host);
    close(server->root);
    return left;
}

static void serve(const char *root, uint16_t port, char **links)
{
    struct server server;
    struct hawser_host *host = new_host();
    char why[300];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (; *links; links++) {
        if (hawser_host_add_link(host, *links, why, sizeof(why)) < 0) {
            fprintf(stderr, "%s: %s\n", *links, why);
            exit(EXIT_FAILURE);
        }
    }
    server_start(&server, host, root, port, &patience);
    struct pollfd fds[] = {{.fd = hawser_host_fd(host), .events = POLLIN},
                           {.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN}};
    uint64_t end_ns = HAWSER_NEVER, now_ns;
    while ((now_ns = hawser_host_now(host)) < end_ns && (server.listener || server.sessions)) {
        struct signalfd_siginfo info;
        check(poll(fds, 2, server.sessions ? SWEEP_MS : -1) < 0 ? -errno : 0, "poll");
        server_turn(&server);
        if (read(fds[1].fd, &info, sizeof(info)) != sizeof(info))
            continue;
        end_ns = server.listener ? now_ns + server.patience->closing_ns : now_ns;
        if (server.listener)
            server_last_orders(&server);
    }
    unsigned left = server_stop(&server);
    if (left)
        fprintf(stderr, "%u clients did not get all in time\n", left);
    close(fds[1].fd);
}

/* The test: clients that send what they have to say at once and read to the end. */

enum { BIG_BYTES = 3000000, CROWD_MIN = 20, CROWD_MAX = 200, STALL_MS = 30000 };

struct client {
    const char *request, *head; /* the answer begins with `head` and ends with `body` */
    const uint8_t *body;
    size_t body_len;
    struct hawser_conn *conn;
    uint8_t *got;
    size_t got_len;
    bool asked, over;
};

static uint8_t big[BIG_BYTES];

/* Reads all there is. True once it is over and right. */
static bool client_move(struct client *c)
{
    ssize_t n = -EAGAIN;
    size_t room = BIG_BYTES + 2 * HEAD_MAX;
    if (!c->asked && hawser_conn_ready(c->conn) & HAWSER_WRITABLE)
        c->asked = hawser_send(c->conn, c->request, strlen(c->request)) > 0;
    while (!c->over && (n = hawser_recv(c->conn, c->got + c->got_len, room - c->got_len)) > 0)
        c->got_len += (size_t)n;
    if (c->over || n == -EAGAIN)
        return false;
    bool right = n == 0 && c->got_len >= c->body_len && memcmp(c->got, c->head, strlen(c->head)) == 0 &&
                 memcmp(c->got + c->got_len - c->body_len, c->body, c->body_len) == 0;
    if (!right)
        fprintf(stderr, "%s\n%zu bytes, error %zd: %.*s\n", c->request, c->got_len, n,
                (int)(c->got_len < 300 ? c->got_len : 300), (const char *)c->got);
    hawser_close(c->conn);
    free(c->got);
    c->over = true;
    return right;
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(name, "wb");
    check(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0 ? 0 : -errno, name);
}

#define CLOSE "Connection: close\r\n\r\n"
#define ASKS(request, head, bytes, len)                                                                                \
    {                                                                                                                  \
        request, "HTTP/1.1 " head, (const uint8_t *)(bytes), len, NULL, NULL, 0, 0, 0                                  \
    }

static unsigned run_clients(struct hawser_host *host, struct server *server, const struct hawser_addr *to,
                            unsigned crowd)
{
    static char long_request[REQUEST_MAX + 100];
    memset(long_request, 'x', sizeof(long_request) - 1);
    struct client clients[CROWD_MAX] = {
        ASKS("GET /big HTTP/1.1\r\n\r\nGET /sub/%73mall?q HTTP/1.1\r\n" CLOSE, "200 OK\r\n", "small\n", 6),
        ASKS("GET /sub/ HTTP/1.0\r\n\r\n", "200 OK\r\n", "index\n", 6),
        ASKS("HEAD /big HTTP/1.1\r\n" CLOSE, "200 OK\r\n", "\r\n\r\n", 4),
        ASKS("GET /empty HTTP/1.1\r\n" CLOSE, "200 OK\r\n", "\r\n\r\n", 4),
        ASKS("GET /big HTTP/1.1\r\nRange: bytes=1000-300999\r\n" CLOSE, "206 Partial", big + 1000, 300000),
        ASKS("GET /big HTTP/1.1\r\nRange: bytes=-5\r\n" CLOSE, "206 Partial", big + BIG_BYTES - 5, 5),
        ASKS("GET /big HTTP/1.1\r\nRange: bytes=3000000-\r\n" CLOSE, "416 Range", "\r\n\r\n", 4),
        ASKS("GET /none HTTP/1.1\r\n" CLOSE, "404 Not", "", 0),
        ASKS("GET /sub HTTP/1.1\r\n" CLOSE, "404 Not", "", 0),
        ASKS("GET /../secret HTTP/1.1\r\n" CLOSE, "404 Not", "\r\n\r\n", 4),
        ASKS("GET /sub/%2e%2e/%2E./secret HTTP/1.1\r\n" CLOSE, "404 Not", "\r\n\r\n", 4),
        ASKS("GET /out/secret HTTP/1.1\r\n" CLOSE, "404 Not", "\r\n\r\n", 4),
        ASKS("GET /big%00 HTTP/1.1\r\n" CLOSE, "400 Bad", "\r\n\r\n", 4),
        ASKS("POST /big HTTP/1.1\r\n" CLOSE, "405 Method", "\r\n\r\n", 4),
        ASKS("GET /big HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "400 Bad", "\r\n\r\n", 4),
        ASKS("nonsense\r\n\r\n", "400 Bad", "\r\n\r\n", 4),
        ASKS(long_request, "431 Request", "\r\n\r\n", 4),
    };
    struct pollfd fds[] = {{.fd = hawser_host_fd(host), .events = POLLIN},
                           {.fd = hawser_host_fd(server->host), .events = POLLIN}};
    struct hawser_event event;
    unsigned over = 0, right = 0;
    for (struct client *c = clients; c < clients + crowd; c++) {
        if (!c->request)
            *c = (struct client)ASKS("GET /big HTTP/1.1\r\n" CLOSE, "200 OK\r\n", big, BIG_BYTES);
        check((c->got = malloc(BIG_BYTES + 2 * HEAD_MAX)) ? 0 : -ENOMEM, "malloc");
        check(hawser_connect(hawser_host_stack(host), to, NULL, hawser_host_now(host), &c->conn), "connect");
        hawser_conn_set_user(c->conn, c);
    }
    while (over < crowd) {
        check(hawser_host_step(host), "step");
        server_turn(server);
        while (hawser_next_event(hawser_host_stack(host), &event)) {
            right += client_move(event.user);
            over += ((struct client *)event.user)->over;
        }
        check(hawser_host_step(host), "step");
        check(over < crowd && poll(fds, 2, STALL_MS) == 0 ? -ETIMEDOUT : 0, "nothing moves any more");
    }
    return right;
}

/* Guests do as they like, and those that read at all keep what came first. */
struct guest {
    const char *says;
    bool reads;
    struct hawser_conn *conn;
    size_t said, got;
    char text[HEAD_MAX];
};

static void guest_begin(struct guest *g, struct hawser_host *host, const struct hawser_addr *to, const char *says)
{
    *g = (struct guest){.says = says};
    check(hawser_connect(hawser_host_stack(host), to, NULL, hawser_host_now(host), &g->conn), "connect");
}

static void guest_move(struct guest *g)
{
    static char bytes[65536];
    ssize_t n = hawser_send(g->conn, g->says + g->said, strlen(g->says + g->said));
    g->said += n > 0 ? (size_t)n : 0;
    while (g->reads && (n = hawser_recv(g->conn, bytes, sizeof(bytes))) > 0) {
        if (g->got == 0)
            memcpy(g->text, bytes, (size_t)n < sizeof(g->text) ? (size_t)n : sizeof(g->text) - 1);
        g->got += (size_t)n;
    }
    if (g->reads && n == 0)
        hawser_shutdown(g->conn);
}

static bool guest_has(const struct guest *g, unsigned what) { return (hawser_conn_ready(g->conn) & what) != 0; }

static void turn(struct hawser_host *host, struct server *server, struct guest *guests, size_t count)
{
    struct pollfd fds[] = {{.fd = hawser_host_fd(host), .events = POLLIN},
                           {.fd = hawser_host_fd(server->host), .events = POLLIN}};
    struct hawser_event event;
    check(hawser_host_step(host), "step");
    while (hawser_next_event(hawser_host_stack(host), &event))
        ; /* all guests are asked in any case */
    for (size_t i = 0; i < count; i++)
        guest_move(&guests[i]);
    check(hawser_host_step(host), "step");
    server_turn(server);
    poll(fds, 2, SWEEP_MS / 10);
}

/* Says nothing, half of a request, a whole one and then nothing, or takes no answer: all are left, the first three in
 * good order. */
static bool guests_are_left(struct hawser_host *host, struct server *server, const struct hawser_addr *to)
{
    const char *const says[] = {"", "GET /bi", "GET /sub/small HTTP/1.1\r\n\r\n", "GET /big HTTP/1.1\r\n\r\n"};
    enum { COUNT = sizeof(says) / sizeof(*says) };
    struct guest guests[COUNT];
    uint64_t end_ns = hawser_host_now(host) + STALL_MS * SECOND_NS / 1000;
    unsigned over = 0, right = 0;
    for (unsigned i = 0; i < COUNT; i++)
        guest_begin(&guests[i], host, to, says[i]);
    while (over < COUNT && hawser_host_now(host) < end_ns) {
        turn(host, server, guests, COUNT);
        over = 0;
        for (unsigned i = 0; i < COUNT; i++)
            over += guest_has(&guests[i], HAWSER_PEER_FINISHED | HAWSER_ERROR);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        right += guest_has(&guests[i], i < 3 ? HAWSER_PEER_FINISHED : HAWSER_ERROR);
        hawser_abort(guests[i].conn);
    }
    return right == COUNT && !server->sessions;
}

/* The server ends while one has an answer under way, one has asked for half, one for nothing, and one takes nothing. */
static bool guests_get_last_orders(struct hawser_host *host, struct server *server, const struct hawser_addr *to)
{
    enum { TAKES, ASKS, IDLE, STUBBORN, COUNT };
    struct guest guests[COUNT];
    uint64_t end_ns = hawser_host_now(host) + STALL_MS * SECOND_NS / 1000;
    guest_begin(&guests[TAKES], host, to, "GET /big HTTP/1.1\r\n\r\n");
    guest_begin(&guests[ASKS], host, to, "GET /sub");
    guest_begin(&guests[IDLE], host, to, "");
    guest_begin(&guests[STUBBORN], host, to, "GET /big HTTP/1.1\r\n\r\n");
    while (!guest_has(&guests[TAKES], HAWSER_READABLE) || !guest_has(&guests[STUBBORN], HAWSER_READABLE) ||
           !guest_has(&guests[IDLE], HAWSER_CONNECTED) || !guests[ASKS].said)
        turn(host, server, guests, COUNT);
    for (int i = 0; i < 10; i++)
        turn(host, server, guests, COUNT); /* until the server has heard all of that */

    server_last_orders(server);
    guests[TAKES].reads = guests[ASKS].reads = guests[IDLE].reads = true;
    guests[ASKS].says = "GET /sub/small HTTP/1.1\r\n\r\n";
    while ((!server->sessions || server->sessions->next) && hawser_host_now(host) < end_ns)
        turn(host, server, guests, COUNT);
    unsigned left = server_stop(server);
    check(hawser_host_step(host), "step");
    bool right = left == 1 && guest_has(&guests[STUBBORN], HAWSER_ERROR) && guests[TAKES].got > BIG_BYTES &&
                 guests[IDLE].got == 0 && guest_has(&guests[IDLE], HAWSER_PEER_FINISHED) &&
                 strstr(guests[ASKS].text, "Connection: close") && guests[ASKS].got > 0;
    for (int i = 0; i < COUNT; i++) {
        right &= i == STUBBORN || hawser_conn_error(guests[i].conn) == 0;
        hawser_abort(guests[i].conn);
    }
    return right;
}

static void join(struct hawser_host *client, struct server *server, struct hawser_addr *to)
{
    char text[20];
    struct hawser_addr a;
    for (int path = 1; path <= 2; path++) {
        snprintf(text, sizeof(text), "10.%d.0.1", path);
        check(hawser_addr_parse(&a, text, 0), text);
        snprintf(text, sizeof(text), "10.%d.0.2", path);
        check(hawser_addr_parse(to, text, 80), text);
        check(hawser_host_add_pair(client, &a, server->host, to, 24), "add_pair");
    }
}

static int self_test(unsigned crowd)
{
    static const struct patience short_one = {2 * SECOND_NS, SECOND_NS, SECOND_NS};
    char base[] = "/tmp/http_file_server-XXXXXX", command[64];
    struct hawser_host *client = new_host();
    struct server server;
    struct hawser_addr to;
    for (size_t i = 0; i < BIG_BYTES; i++)
        big[i] = (uint8_t)(i * 2654435761u >> 13);
    check(mkdtemp(base) && chdir(base) == 0 && mkdir("root", 0700) == 0 && mkdir("root/sub", 0700) == 0 ? 0 : -errno,
          base);
    write_file("secret", "secret\n", 7);
    write_file("root/big", big, BIG_BYTES);
    write_file("root/empty", "", 0);
    write_file("root/sub/small", "small\n", 6);
    write_file("root/sub/index.html", "index\n", 6);
    check(symlink("..", "root/out") ? -errno : 0, "symlink");

    server_start(&server, new_host(), "root", 80, &patience);
    join(client, &server, &to);
    unsigned right = run_clients(client, &server, &to, crowd);
    bool last_orders = guests_get_last_orders(client, &server, &to);
    hawser_host_free(client);

    client = new_host();
    server_start(&server, new_host(), "root", 80, &short_one);
    join(client, &server, &to);
    bool left = guests_are_left(client, &server, &to);
    server_stop(&server);
    hawser_host_free(client);

    snprintf(command, sizeof(command), "rm -r %s", base);
    check(system(command) ? -errno : 0, command);
    printf("%u of %u answers were right, last orders %s, who does not ask or take %s\n", right, crowd,
           last_orders ? "too" : "not", left ? "is left" : "stays");
    return right == crowd && last_orders && left ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    long crowd = argc == 3 ? strtol(argv[2], NULL, 10) : CROWD_MAX;
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "--self-test") == 0 && crowd >= CROWD_MIN && crowd <= CROWD_MAX)
        return self_test((unsigned)crowd);
    long port = argc > 3 ? strtol(argv[2], NULL, 10) : 0;
    if (port < 1 || port > UINT16_MAX) {
        fprintf(stderr, "usage: http_file_server ROOT PORT LINK... | --self-test [20..200]\n");
        return EXIT_FAILURE;
    }
    serve(argv[1], (uint16_t)port, argv + 3);
    return EXIT_SUCCESS;
}
