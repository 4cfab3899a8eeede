#include "service/up_check.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "run/link_spec.h"
#include "service/complain.h"
#include "service/control_socket.h"
#include "service/privileges.h"

struct up_check {
    const struct config *config;
    const char *path;
    char *why;
    size_t why_size;
};

/* A value, and how it is called in the file and on the command line. */
struct word {
    const char *value, *section, *key, *option;
    const struct toml_node *node; /* of what is no text of its own: where the file says it, or NULL */
};

/* Texts of a configuration lie in its tree. */
static const struct toml_node *find_node(const struct config *config, const struct word *word)
{
    if (!word->value)
        return word->node;
    const struct toml_node *table = config ? config->tree : NULL;
    if (table && word->section)
        table = toml_get(table, word->section);
    const struct toml_node *node = table ? toml_get(table, word->key) : NULL;
    return node && node->text == word->value ? node : NULL;
}

static int says(const struct up_check *c, const struct word *word, int error, const char *reason)
{
    const struct toml_node *node = find_node(c->config, word);
    struct reader reader = {.path = c->path, .why = c->why, .why_size = c->why_size};
    if (!node)
        return complain(error, c->why, c->why_size, "%s: %s", word->option, reason);
    reader_says(&reader, node, "%s: %s", word->key, reason);
    return error == -EINVAL ? -EBADMSG : error;
}

static int check_user(const struct up_check *c, const char *user)
{
    const struct word word = {.value = user, .key = "user", .option = "--user"};
    char reason[256];
    int error = privileges_check(user, reason, sizeof reason);
    return error ? says(c, &word, error, reason) : 0;
}

static int check_group(const struct up_check *c, const char *group)
{
    const struct word word = {.value = group, .key = "group", .option = "--group"};
    char reason[256];
    if (!group || getgrnam(group))
        return 0;
    snprintf(reason, sizeof reason, "there is no group \"%.64s\": make it by groupadd, or name another one", group);
    return says(c, &word, -ENOENT, reason);
}

/* What it says is there to be read once, by whoever uses it. */
static bool is_pipe(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

static int check_login(const struct up_check *c, const char *path)
{
    const struct word word = {.value = path, .section = "proxy", .key = "login", .option = "--proxy-login"};
    char reason[512];
    int error = path && !is_pipe(path) ? proxies_check_login(path, reason, sizeof reason) : 0;
    return error ? says(c, &word, error, reason) : 0;
}

static bool begins_with(const char *text, const char *path)
{
    const size_t len = path ? strlen(path) : 0;
    return len && strncmp(text, path, len) == 0 && text[len] == ':';
}

/* What is wrong with a file begins with its name. */
static int check_side(const struct up_check *c, const struct upstream_words *w, enum tls_role role)
{
    const bool serves = role == TLS_SERVER;
    const struct word words[] = {
        {w->key, "upstream", "key", "--key", NULL},
        {w->certificate, "upstream", "certificate", "--certificate", NULL},
        {w->private_key, "upstream", "private-key", "--private-key", NULL},
        {w->ca, "upstream", "ca", "--ca", NULL},
        {w->client_ca, "upstream", "client-ca", "--client-ca", NULL},
        {serves ? w->serve : w->server, "upstream", serves ? "serve" : "server",
         serves ? "--serve-upstream" : "--upstream", NULL},
    };
    const struct tls_files files = upstream_words_files(w, role, serves ? w->serve : w->server);
    struct tls_credentials *credentials;
    char reason[512];
    for (size_t i = 0; i < HW_ARRAY_LEN(words) - 1; i++) {
        if (is_pipe(words[i].value))
            return 0;
    }
    int error = tls_credentials_read(role, &files, &credentials, reason, sizeof reason);
    if (!error) {
        tls_credentials_unref(credentials);
        return 0;
    }
    size_t i = 0;
    while (i < HW_ARRAY_LEN(words) - 1 && !begins_with(reason, words[i].value))
        i++;
    return says(c, &words[i], error, reason);
}

static bool same_folder(const char *a, const char *b)
{
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    return end_a && end_b && end_a - a == end_b - b && memcmp(a, b, (size_t)(end_a - a)) == 0;
}

/* Could it be written? Nothing is made of it yet, nor is the folder of the service. */
static int try_to_write(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[LINK_SPEC_PATH_SIZE + 2] = ".";
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return -EISDIR;
    if (access(path, F_OK) == 0)
        return access(path, W_OK) == 0 ? 0 : -errno;
    if (slash)
        snprintf(folder, sizeof folder, "%.*s/.", (int)(slash - path), path);
    if (access(folder, W_OK | X_OK) == 0)
        return 0;
    return errno == ENOENT && same_folder(path, CONTROL_PATH) ? 0 : -errno;
}

/* Where the file says what is captured of one of its links; NULL: the link is none of them. */
static const struct toml_node *find_capture(const struct toml_node *tables, const struct config_link *links,
                                            unsigned count, const char *spec)
{
    const struct toml_node *table = tables ? tables->first : NULL;
    for (unsigned i = 0; i < count && table; i++, table = table->next) {
        if (links[i].spec == spec)
            return toml_get(table, "pcap");
    }
    return NULL;
}

static int check_capture(const struct up_check *c, const char *spec, bool door)
{
    static const char word_pcap[] = ",pcap=";
    const char *at = spec ? strstr(spec, word_pcap) : NULL;
    const struct config *config = c->config;
    const char *list = door ? "door" : "uplink";
    struct word word = {.key = "pcap", .option = door ? "--door" : "--uplink"};
    char path[LINK_SPEC_PATH_SIZE], reason[512];
    if (!at)
        return 0;
    at += sizeof word_pcap - 1;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(at, ","), at);
    int error = try_to_write(path);
    if (!error)
        return 0;
    if (config)
        word.node = find_capture(toml_get(config->tree, list), door ? config->doors : config->uplinks,
                                 door ? config->door_count : config->uplink_count, spec);
    snprintf(reason, sizeof reason, "cannot write the capture %.300s: %s; choose another one", path, strerror(-error));
    return says(c, &word, error, reason);
}

static int check_captures(const struct up_check *c, const struct up_options *o)
{
    int error = 0;
    for (unsigned i = 0; i < o->door_count && !error; i++)
        error = check_capture(c, o->doors[i].spec, true);
    for (unsigned i = 0; i < o->uplink_count && !error; i++)
        error = check_capture(c, o->uplinks[i], false);
    return error;
}

int up_check_names(const struct up_options *o, const struct config *config, const char *path, char *why,
                   size_t why_size)
{
    const struct up_check c = {config, path, why, why_size};
    const struct upstream_words *upstream = &o->proxies.upstream;
    int error = check_user(&c, o->user);
    if (!error && !control_is_none(control_path(o->control)))
        error = check_group(&c, o->group);
    if (!error)
        error = check_login(&c, o->proxies.login_path);
    if (!error && upstream->server)
        error = check_side(&c, upstream, TLS_CLIENT);
    if (!error && upstream->serve)
        error = check_side(&c, upstream, TLS_SERVER);
    return error ? error : check_captures(&c, o);
}
