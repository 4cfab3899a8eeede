/* TLS above ends (apps/service/tls_end.h): both sides in one loop, a connection of the kernel between them. */
#include <stdio.h>
#include <sys/stat.h>

#include "peer.h"
#include "service/credentials.h"

enum { STREAM = 1000000 };

static uint8_t stream[STREAM];

struct line {
    struct ends e;
    struct tls client_side, server_side;
    struct end client, server;
    struct ear client_ear, server_ear;
};

static const char key[] = "thirty-two bytes that both have", wrong[] = "another";

/* The credentials are the line's. */
static void begin_by(struct line *line, struct tls_credentials *client, struct tls_credentials *server)
{
    int fds[2];
    struct end below[2];
    ends_init(&line->e);
    const struct hawser_env *env = hawser_host_env(line->e.host);
    tls_init(&line->client_side, client, env);
    tls_init(&line->server_side, server, env);
    tcp_pair(fds);
    for (unsigned i = 0; i < 2; i++)
        below[i] = end_of_socket(&line->e, fds[i]);
    assert_int_equal(tls_end_new(&line->server_side, below[0], NULL, &line->server), 0);
    assert_int_equal(tls_end_new(&line->client_side, below[1], NULL, &line->client), 0);
    listen_by(&line->server_ear, line->server);
    listen_by(&line->client_ear, line->client);
    ends_run(&line->e, 50);
}

static void begin(struct line *line, const char *client_key)
{
    begin_by(line, credentials_of_key(TLS_CLIENT, client_key), credentials_of_key(TLS_SERVER, key));
}

static void end_line(struct line *line)
{
    tls_destroy(&line->client_side);
    tls_destroy(&line->server_side);
    ends_destroy(&line->e);
}

static void both_have_the_key(void **state)
{
    (void)state;
    struct line line;
    struct hawser_part part;
    struct hawser_slice slice;
    begin(&line, key);
    assert_true(end_connected(line.client) && end_connected(line.server));
    assert_true(line.client_ear.what & HAWSER_CONNECTED);
    assert_true(line.server_ear.what & HAWSER_CONNECTED);
    assert_int_equal(give_text(line.client, "question"), 8);
    ends_run(&line.e, 10);
    assert_true(line.server_ear.what & HAWSER_READABLE);
    assert_int_equal(end_peek(line.server, &part, 1), 1);
    assert_int_equal(part.len, 8);
    end_consume(line.server, 5);
    expect_text(line.server, "ion");
    assert_int_equal(end_take(line.server, &slice), -EAGAIN);
    end_finish(line.client);
    ends_run(&line.e, 10);
    assert_int_equal(end_take(line.server, &slice), 0);
    assert_int_equal(give_text(line.server, "answer"), 6); /* half-closed */
    end_close(line.server);
    ends_run(&line.e, 10);
    expect_text(line.client, "answer");
    assert_int_equal(end_take(line.client, &slice), 0);
    assert_int_equal(end_error(line.client), 0);
    end_close(line.client);
    end_line(&line);
}

static void another_key_is_refused(void **state)
{
    (void)state;
    struct line line;
    struct hawser_slice slice;
    begin(&line, wrong);
    assert_false(end_connected(line.client) || end_connected(line.server));
    assert_true(line.client_ear.what & HAWSER_ERROR);
    assert_true(line.server_ear.what & HAWSER_ERROR);
    assert_true(end_error(line.client) < 0);
    assert_int_equal(end_error(line.server), -EPROTO);
    assert_int_equal(end_take(line.server, &slice), -EPROTO);
    assert_int_equal(give_text(line.server, "x"), -EPROTO);
    end_close(line.server);
    end_abort(line.client);
    end_line(&line);
}

/* Whatever comes instead of TLS is an error, soon, and nothing else. */
static void nonsense_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } all[] = {{"GET / HTTP/1.1\r\n\r\n", 18}, {"\5\1\0", 3},         {"\x16\3\1\xff\xff", 5},
               {"\x16\3\1\0\5\1\0\0\1\0", 10}, {"\x17\3\3\0\1\0", 6}, {"", 0}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct ends e;
        struct tls tls;
        struct ear ear;
        struct end end;
        int other;
        ends_init(&e);
        tls_init(&tls, credentials_of_key(TLS_SERVER, key), hawser_host_env(e.host));
        assert_int_equal(tls_end_new(&tls, tcp_end(&e, &other), NULL, &end), 0);
        listen_by(&ear, end);
        ends_run(&e, 2);
        assert_int_equal(write(other, all[i].bytes, all[i].len), all[i].len);
        shutdown(other, SHUT_WR);
        ends_run(&e, 20);
        assert_true(ear.what & HAWSER_ERROR);
        assert_true(end_error(end) == -EPROTO || end_error(end) == -ECONNRESET);
        end_abort(end);
        close(other);
        tls_destroy(&tls);
        ends_destroy(&e);
    }
}

/* A stream that is cut off is no stream that ended. */
static void an_end_without_good_bye_is_a_reset(void **state)
{
    (void)state;
    struct ends e;
    struct tls client_side, server_side;
    struct end client, server, below;
    struct hawser_slice slice;
    int fds[2];
    ends_init(&e);
    tls_init(&client_side, credentials_of_key(TLS_CLIENT, key), hawser_host_env(e.host));
    tls_init(&server_side, credentials_of_key(TLS_SERVER, key), hawser_host_env(e.host));
    tcp_pair(fds);
    below = end_of_socket(&e, fds[0]);
    assert_int_equal(tls_end_new(&server_side, below, NULL, &server), 0);
    below = end_of_socket(&e, fds[1]);
    assert_int_equal(tls_end_new(&client_side, below, NULL, &client), 0);
    ends_run(&e, 30);
    assert_true(end_connected(server));
    shutdown(fds[1], SHUT_WR);
    ends_run(&e, 10);
    assert_int_equal(end_take(server, &slice), -ECONNRESET);
    assert_int_equal(end_error(server), -ECONNRESET);
    end_abort(server);
    end_abort(client);
    tls_destroy(&client_side);
    tls_destroy(&server_side);
    ends_destroy(&e);
}

/* Much more than anything on the way holds, while the other side takes its time; and what was closed is delivered. */
static void back_pressure(void **state)
{
    (void)state;
    struct line line;
    struct hawser_slice slice;
    size_t sent = 0, got = 0;
    unsigned rounds = 0;
    ssize_t n = 0;
    begin(&line, key);
    while (sent < 20 * (size_t)STREAM) { /* until nothing fits any more */
        n = end_give(line.client, (struct hawser_slice){.data = stream, .len = STREAM});
        if (n == -EAGAIN && rounds++ > 10)
            break;
        sent += n > 0 ? (size_t)n : 0;
        ends_run(&line.e, 1);
    }
    assert_int_equal(n, -EAGAIN);
    end_close(line.client); /* it lives until all has left */
    for (rounds = 0; rounds < 100000 && n != 0; rounds++) {
        n = end_take(line.server, &slice);
        if (n == -EAGAIN) {
            ends_run(&line.e, 1);
            continue;
        }
        assert_true(n >= 0);
        got += n ? slice.len : 0;
        if (n)
            hawser_buf_unref(slice.buf);
    }
    assert_int_equal(got, sent);
    assert_true(line.client_side.closing.next == &line.client_side.closing);
    end_close(line.server);
    end_line(&line);
}

/* Nothing is held while more than is allowed would be, and all arrives. */
static void bytes_that_stay_where_they_are(void **state)
{
    (void)state;
    struct line line;
    struct hawser_slice slice;
    size_t sent = 0, got = 0;
    begin(&line, key);
    line.server_side.intake.taken_max = 0;
    for (unsigned i = 0; i < 100000 && got < STREAM; i++) {
        const struct hawser_slice rest = {.data = stream + sent, .len = (uint32_t)(STREAM - sent)};
        ssize_t n = sent < STREAM ? end_give(line.client, rest) : 0;
        sent += n > 0 ? (size_t)n : 0;
        ends_run(&line.e, 0);
        while (end_take(line.server, &slice) == 1) {
            assert_memory_equal(slice.data, stream + got, slice.len);
            got += slice.len;
            hawser_buf_unref(slice.buf);
        }
        assert_int_equal(line.server_side.intake.taken_bytes, 0);
    }
    assert_int_equal(got, STREAM);
    assert_true(line.server_side.intake.untaken_bytes > STREAM);
    assert_int_equal(line.client_side.intake.untaken_bytes, 0);
    end_abort(line.client);
    end_abort(line.server);
    assert_int_equal(line.client_side.intake.taken_bytes, 0);
    end_line(&line);
}

static ssize_t no_memory(void *of, struct hawser_slice *slice)
{
    (void)of;
    (void)slice;
    return -ENOBUFS;
}

/* There is no memory to take them: nothing would tell that there is again. */
static void bytes_that_cannot_be_taken(void **state)
{
    (void)state;
    struct line line;
    struct ends *e = &line.e;
    struct end below[2];
    int fds[2];
    ends_init(e);
    tls_init(&line.client_side, credentials_of_key(TLS_CLIENT, key), hawser_host_env(e->host));
    tls_init(&line.server_side, credentials_of_key(TLS_SERVER, key), hawser_host_env(e->host));
    tcp_pair(fds);
    for (unsigned i = 0; i < 2; i++)
        below[i] = end_of_socket(e, fds[i]);
    struct end_ops scarce = *below[0].ops;
    scarce.take = no_memory;
    below[0].ops = &scarce;
    assert_int_equal(tls_end_new(&line.server_side, below[0], NULL, &line.server), 0);
    assert_int_equal(tls_end_new(&line.client_side, below[1], NULL, &line.client), 0);
    ends_run(e, 50);
    assert_true(end_connected(line.client) && end_connected(line.server));
    assert_int_equal(give_text(line.client, "question"), 8);
    ends_run(e, 10);
    expect_text(line.server, "question");
    end_abort(line.client);
    end_abort(line.server);
    end_line(&line);
}

/* What is closing is gone with its side. */
static void closing_ends_with_its_side(void **state)
{
    (void)state;
    struct line line;
    begin(&line, key);
    while (end_give(line.client, (struct hawser_slice){.data = stream, .len = STREAM}) > 0)
        ;
    end_close(line.client);
    ends_run(&line.e, 5);
    end_abort(line.server);
    end_line(&line);
}

/* A socket that claims to be a connection of the stack. */
static struct {
    const struct end_ops *ops;
    struct watch *watch;
    struct hawser_conn *conn;
} disguised;

static void note_watch(void *of, struct watch *watch)
{
    disguised.watch = watch;
    disguised.ops->watch(of, watch);
}

static struct hawser_conn *disguised_conn(void *of) { return (void)of, disguised.conn; }

static uint64_t tells_of_questions(void)
{
    uint64_t value;
    assert_int_equal(hawser_conn_get(disguised.conn, HAWSER_OPTION_ASKED, &value), 0);
    return value;
}

/* What the peer's keepalive asks is for who is above to answer, as long as somebody is. */
static void questions_pass(void **state)
{
    (void)state;
    struct line line;
    struct ends *e = &line.e;
    struct end below[2];
    struct peer p;
    int fds[2];
    ends_init(e);
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    tls_init(&line.client_side, credentials_of_key(TLS_CLIENT, key), hawser_host_env(e->host));
    tls_init(&line.server_side, credentials_of_key(TLS_SERVER, key), hawser_host_env(e->host));
    tcp_pair(fds);
    for (unsigned i = 0; i < 2; i++)
        below[i] = end_of_socket(e, fds[i]);
    struct end_ops ops = *below[1].ops;
    disguised.ops = below[1].ops;
    disguised.conn = p.conn;
    ops.watch = note_watch;
    ops.conn = disguised_conn;
    below[1].ops = &ops;
    assert_int_equal(tls_end_new(&line.server_side, below[0], NULL, &line.server), 0);
    assert_int_equal(tls_end_new(&line.client_side, below[1], NULL, &line.client), 0);
    listen_by(&line.client_ear, line.client);
    ends_run(e, 50);
    assert_int_equal(hawser_conn_set(p.conn, HAWSER_OPTION_ASKED, 1), 0);
    line.client_ear.what = 0;
    disguised.watch->heard(disguised.watch, &(struct hawser_event){.what = HAWSER_ASKED}, 0);
    assert_int_equal(line.client_ear.what, HAWSER_ASKED);
    while (end_give(line.client, (struct hawser_slice){.data = stream, .len = STREAM}) > 0)
        ;
    assert_int_equal(tells_of_questions(), 1);
    end_close(line.client); /* it waits until all has left */
    assert_int_equal(tells_of_questions(), 0);
    end_abort(line.server);
    end_line(&line);
    peer_destroy(&p);
}

static void joined_to_sockets(void **state)
{
    (void)state;
    struct line line;
    int left, right;
    size_t sent = 0, got = 0;
    uint8_t *in = malloc(STREAM);
    begin(&line, key);
    struct end near = tcp_end(&line.e, &left), far = tcp_end(&line.e, &right);
    assert_int_equal(joint_make(&line.e.joints, near, line.client, &(struct joint_origin){.way = JOINT_BY_LINK}, 0), 0);
    assert_int_equal(joint_make(&line.e.joints, line.server, far, &(struct joint_origin){.way = JOINT_BY_LINK}, 0), 0);
    for (unsigned i = 0; i < 100000 && got < STREAM; i++) {
        ssize_t n = write(left, stream + sent, STREAM - sent);
        sent += n > 0 ? (size_t)n : 0;
        ends_run(&line.e, 0);
        n = read(right, in + got, STREAM - got);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(got, STREAM);
    assert_memory_equal(in, stream, STREAM);
    shutdown(right, SHUT_WR);
    ends_run(&line.e, 20);
    expect_bytes(left, "");
    assert_int_equal(line.e.joints.count, 2);
    close(left);
    ends_run(&line.e, 20);
    expect_bytes(right, "");
    assert_int_equal(line.e.joints.count, 0);
    assert_int_equal(line.e.joints.broken, 0);
    close(right);
    free(in);
    end_line(&line);
}

/* ---- certificates ---- */

static void say_good_bye(struct line *line)
{
    end_abort(line->client);
    end_abort(line->server);
    end_line(line);
}

static void both_have_certificates(void **state)
{
    (void)state;
    static const char *const names[] = {"server.test", "192.0.2.7"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(names); i++) {
        struct world w;
        struct line line;
        world_init(&w, names[i]);
        struct tls_files client = files_of(&w.client, &w.authority), server = files_of(&w.server, &w.authority);
        client.server_name = names[i];
        begin_by(&line, read_all(TLS_CLIENT, &client), read_all(TLS_SERVER, &server));
        assert_true(end_connected(line.client) && end_connected(line.server));
        assert_int_equal(give_text(line.client, "question"), 8);
        ends_run(&line.e, 10);
        expect_text(line.server, "question");
        assert_string_equal(line.client_side.failure, "");
        say_good_bye(&line);
        world_free(&w);
    }
}

/* Nobody of them hears a byte of the other one's; and the client's side says why. */
static void expect_refused_by(struct tls_credentials *client, struct tls_credentials *server, const char *says)
{
    struct line line;
    struct hawser_slice slice;
    begin_by(&line, client, server);
    if (end_connected(line.client)) /* which is over before it knows what the server makes of its certificate */
        (void)end_take(line.client, &slice);
    assert_false(end_connected(line.server));
    assert_int_equal(end_error(line.client), -EPROTO);
    assert_int_equal(end_error(line.server), -EPROTO);
    if (!strstr(line.client_side.failure, says))
        fail_msg("\"%s\" without \"%s\"", line.client_side.failure, says);
    assert_true(line.server_side.failure[0] != '\0');
    say_good_bye(&line);
}

static void expect_refused(const struct tls_files *client, const struct tls_files *server, const char *says)
{
    expect_refused_by(read_all(TLS_CLIENT, client), read_all(TLS_SERVER, server), says);
}

static void others_are_refused(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "server.test");
    const struct tls_files good = files_of(&w.client, &w.authority), server = files_of(&w.server, &w.authority);
    struct tls_files files = good;
    files.ca = w.other_authority.crt_path;
    expect_refused(&files, &server, "issuer is unknown");
    files = good;
    files.server_name = "another.test";
    expect_refused(&files, &server, "name in the certificate does not match");
    files.server_name = "192.0.2.7";
    expect_refused(&files, &server, "name in the certificate does not match");
    files = server;
    files.ca = w.other_authority.crt_path;
    expect_refused(&good, &files, "the other side says"); /* the client is one of somebody else's */
    files = files_of(&w.server, &w.authority);
    files.server_name = "server.test";
    expect_refused(&files, &server, "the other side says"); /* a server is no client */
    struct holder old;
    holder_new(&old, &(struct holder_plan){.by = &w.authority, .name = "server.test", .begins_days = -1, .ends_s = 2});
    files = files_of(&old, &w.authority);
    struct tls_credentials *expires = read_all(TLS_SERVER, &files);
    while (time(NULL) <= gnutls_x509_crt_get_expiration_time(old.crt))
        usleep(100000);
    expect_refused_by(read_all(TLS_CLIENT, &good), expires, "expired");
    holder_free(&old);
    files = files_of(&w.client, &w.authority);
    expect_refused(&good, &files, "does not match the intended purpose"); /* nor a client a server */
    world_free(&w);
}

/* A server may know more authorities than fit into what a client reads before any of the stream. */
static void many_authorities(void **state)
{
    (void)state;
    enum { AUTHORITIES = 300, NAME_BYTES = 64 };
    struct world w;
    struct line line;
    char name[NAME_BYTES + 1], path[PATH_BYTES];
    world_init(&w, "server.test");
    file_write(path, "", 0);
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i <= AUTHORITIES; i++) {
        struct holder other;
        gnutls_datum_t pem;
        snprintf(name, sizeof name, "%0*u", NAME_BYTES, i);
        holder_new(&other, &(struct holder_plan){.name = name, .begins_days = -1, .ends_days = 2});
        assert_int_equal(gnutls_x509_crt_export2(i ? other.crt : w.authority.crt, GNUTLS_X509_FMT_PEM, &pem), 0);
        assert_int_equal(fwrite(pem.data, 1, pem.size, file), pem.size);
        gnutls_free(pem.data);
        holder_free(&other);
    }
    fclose(file);
    const struct tls_files client = files_of(&w.client, &w.authority);
    struct tls_files server = files_of(&w.server, &w.authority);
    server.ca = path;
    begin_by(&line, read_all(TLS_CLIENT, &client), read_all(TLS_SERVER, &server));
    assert_string_equal(line.client_side.failure, "");
    assert_true(end_connected(line.client) && end_connected(line.server));
    say_good_bye(&line);
    unlink(path);
    world_free(&w);
}

/* Who has only a key and who has only a certificate: a server may have both, and either is enough. */
static void a_server_may_have_both(void **state)
{
    (void)state;
    struct world w;
    struct line line;
    char path[PATH_BYTES];
    world_init(&w, "server.test");
    file_write(path, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 64);
    struct tls_files server = files_of(&w.server, &w.authority), by_key = {.key = path},
                     by_certificate = files_of(&w.client, &w.authority);
    server.key = path;
    const struct tls_files *const clients[] = {&by_key, &by_certificate};
    for (unsigned i = 0; i < HW_ARRAY_LEN(clients); i++) {
        begin_by(&line, read_all(TLS_CLIENT, clients[i]), read_all(TLS_SERVER, &server));
        assert_true(end_connected(line.client) && end_connected(line.server));
        say_good_bye(&line);
    }
    begin_by(&line, credentials_of_key(TLS_CLIENT, wrong), read_all(TLS_SERVER, &server));
    assert_int_equal(end_error(line.server), -EPROTO);
    say_good_bye(&line);
    server.key = NULL;
    begin_by(&line, read_all(TLS_CLIENT, &by_key), read_all(TLS_SERVER, &server));
    assert_int_equal(end_error(line.server), -EPROTO);
    say_good_bye(&line);
    begin_by(&line, read_all(TLS_CLIENT, &by_certificate), credentials_of_key(TLS_SERVER, key));
    assert_int_equal(end_error(line.server), -EPROTO);
    say_good_bye(&line);
    unlink(path);
    world_free(&w);
}

/* Those who are there go on, a handshake under way as well. */
static void others_from_now_on(void **state)
{
    (void)state;
    struct world w;
    struct line line;
    struct end client, server, below[2];
    int fds[2];
    world_init(&w, "server.test");
    const struct tls_files own = files_of(&w.client, &w.authority), files = files_of(&w.server, &w.authority);
    begin_by(&line, read_all(TLS_CLIENT, &own), read_all(TLS_SERVER, &files));
    assert_true(end_connected(line.server));
    tcp_pair(fds);
    for (unsigned i = 0; i < 2; i++)
        below[i] = end_of_socket(&line.e, fds[i]);
    assert_int_equal(tls_end_new(&line.server_side, below[0], NULL, &server), 0);
    tls_renew(&line.server_side, credentials_of_key(TLS_SERVER, key));
    assert_int_equal(tls_end_new(&line.client_side, below[1], NULL, &client), 0);
    ends_run(&line.e, 50);
    assert_true(end_connected(server) && end_connected(client));
    assert_int_equal(give_text(line.client, "question"), 8);
    ends_run(&line.e, 10);
    expect_text(line.server, "question");
    end_abort(server);
    end_abort(client);
    say_good_bye(&line);
    world_free(&w);
}

/* ---- files ---- */

static void expect_unread(const struct tls_files *files, int error, const char *path, const char *says)
{
    struct tls_credentials *credentials;
    char why[400] = "";
    assert_int_equal(tls_credentials_read(TLS_SERVER, files, &credentials, why, sizeof why), error);
    if (strncmp(why, path, strlen(path)) != 0 || !strstr(why, says))
        fail_msg("\"%s\", not %s: %s", why, path, says);
}

static void certificates_in_files(void **state)
{
    (void)state;
    struct world w;
    struct holder old, early;
    char text[PATH_BYTES];
    world_init(&w, "server.test");
    holder_new(&old, &(struct holder_plan){.by = &w.authority, .name = "a.test", .begins_days = -2, .ends_days = -1});
    holder_new(&early, &(struct holder_plan){.by = &w.authority, .name = "a.test", .begins_days = 1, .ends_days = 2});
    file_write(text, "no certificate", 14);
    const struct tls_files good = files_of(&w.server, &w.authority);
    struct tls_files files = files_of(&old, &w.authority);
    expect_unread(&files, -EINVAL, old.crt_path, "has expired, on 20");
    files = files_of(&early, &w.authority);
    expect_unread(&files, -EINVAL, early.crt_path, "not valid before 20");
    files = good;
    files.private_key = w.client.key_path;
    expect_unread(&files, -EINVAL, w.client.key_path, w.server.crt_path);
    files.private_key = text;
    expect_unread(&files, -EINVAL, text, "no private key in PEM");
    files.private_key = "/nowhere";
    expect_unread(&files, -ENOENT, "/nowhere", "No such file");
    files = good;
    assert_int_equal(chmod(w.server.key_path, 0644), 0);
    expect_unread(&files, -EPERM, w.server.key_path, "everybody may read it");
    assert_int_equal(chmod(w.server.key_path, 0600), 0);
    files.certificate = text;
    expect_unread(&files, -EINVAL, text, "no certificate in PEM");
    files = good;
    files.ca = text;
    expect_unread(&files, -EINVAL, text, "no certificate in PEM");
    files.ca = "/dev/zero";
    expect_unread(&files, -E2BIG, "/dev/zero", "longer than");
    unlink(text);
    holder_free(&old);
    holder_free(&early);
    world_free(&w);
}

static void files_that_change(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, "server.test");
    const struct tls_files files = files_of(&w.server, &w.authority);
    struct tls_credentials *credentials = read_all(TLS_SERVER, &files);
    assert_false(tls_credentials_outdated(credentials, &files));
    assert_int_equal(rename(w.client.crt_path, w.server.crt_path), 0);
    assert_true(tls_credentials_outdated(credentials, &files));
    unlink(w.server.crt_path);
    assert_true(tls_credentials_outdated(credentials, &files));
    tls_credentials_unref(credentials);
    world_free(&w);
}

static int read_file(const char *text, unsigned mode, uint8_t *out)
{
    char path[] = "/tmp/hawser-key-XXXXXX", why[300] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    int error = tls_read_key(path, out, why, sizeof why);
    assert_int_equal(why[0] != '\0', error < 0);
    if (error)
        assert_non_null(strstr(why, path));
    unlink(path);
    return error;
}

#define DIGITS "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100"

static void keys_in_files(void **state)
{
    (void)state;
    uint8_t out[TLS_KEY_BYTES];
    char why[300];
    assert_int_equal(read_file(DIGITS "\n", 0600, out), 0);
    assert_memory_equal(out, "\x00\x11\x22\x33", 4);
    assert_memory_equal(out + 28, "\x33\x22\x11\x00", 4);
    assert_int_equal(read_file(DIGITS, 0640, out), 0);
    assert_int_equal(read_file(DIGITS, 0644, out), -EPERM);
    assert_int_equal(read_file(DIGITS "0", 0600, out), -EINVAL);
    assert_int_equal(read_file(&DIGITS[1], 0600, out), -EINVAL);
    assert_int_equal(read_file("x" DIGITS, 0600, out), -EINVAL);
    assert_int_equal(read_file("", 0600, out), -EINVAL);
    assert_int_equal(tls_read_key("/nowhere", out, why, sizeof why), -ENOENT);
    assert_int_equal(tls_read_key("/tmp", out, why, sizeof why), -EISDIR);
}

int main(void)
{
    for (size_t i = 0; i < STREAM; i++)
        stream[i] = (uint8_t)(i * 2654435761u >> 24);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_have_the_key),
        cmocka_unit_test(another_key_is_refused),
        cmocka_unit_test(nonsense_is_an_error),
        cmocka_unit_test(an_end_without_good_bye_is_a_reset),
        cmocka_unit_test(back_pressure),
        cmocka_unit_test(closing_ends_with_its_side),
        cmocka_unit_test(questions_pass),
        cmocka_unit_test(joined_to_sockets),
        cmocka_unit_test(keys_in_files),
        cmocka_unit_test(both_have_certificates),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(many_authorities),
        cmocka_unit_test(a_server_may_have_both),
        cmocka_unit_test(others_from_now_on),
        cmocka_unit_test(certificates_in_files),
        cmocka_unit_test(files_that_change),
        cmocka_unit_test(bytes_that_stay_where_they_are),
        cmocka_unit_test(bytes_that_cannot_be_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
