#include "service/up_check.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compiler.h"
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
};

/* Texts of a configuration lie in its tree. */
static const struct toml_node *find_node(const struct config *config, const struct word *word)
{
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
    const struct word word = {user, NULL, "user", "--user"};
    char reason[256];
    int error = privileges_check(user, reason, sizeof reason);
    return error ? says(c, &word, error, reason) : 0;
}

static int check_group(const struct up_check *c, const char *group)
{
    const struct word word = {group, NULL, "group", "--group"};
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
    const struct word word = {path, "proxy", "login", "--proxy-login"};
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
        {w->key, "upstream", "key", "--key"},
        {w->certificate, "upstream", "certificate", "--certificate"},
        {w->private_key, "upstream", "private-key", "--private-key"},
        {w->ca, "upstream", "ca", "--ca"},
        {w->client_ca, "upstream", "client-ca", "--client-ca"},
        {serves ? w->serve : w->server, "upstream", serves ? "serve" : "server",
         serves ? "--serve-upstream" : "--upstream"},
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
    return error;
}
