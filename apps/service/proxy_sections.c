#include "service/proxy_sections.h"

#include <stddef.h>
#include <string.h>

#include "service/endpoint.h"
#include "service/proxies.h"

#define LISTEN_ALLOWED "a list of addresses with ports: [\"127.0.0.1:1080\"]"

static bool read_ports(struct reader *r, const struct toml_node *node, void *out)
{
    const struct config_texts *texts = out;
    struct endpoint at;
    if (!config_read_texts(r, node, out))
        return false;
    for (unsigned i = 0; i < texts->count; i++)
        if (endpoint_read(texts->at[i], &at) < 0 || at.name[0])
            return false;
    return true;
}

static bool read_local(struct reader *r, const struct toml_node *node, void *out)
{
    struct endpoint at;
    const char **text = out;
    return read_text(r, node, text) && endpoint_read(*text, &at) == 0 && !at.name[0];
}

static bool read_server(struct reader *r, const struct toml_node *node, void *out)
{
    struct endpoint at;
    const char **text = out;
    return read_text(r, node, text) && endpoint_read(*text, &at) == 0;
}

static bool read_path(struct reader *r, const struct toml_node *node, void *out)
{
    const char **text = out;
    return read_text(r, node, text) && **text;
}

static void *begin(struct config *config) { return config; }

static bool has(const struct config_texts *texts, const char *text)
{
    for (unsigned i = 0; i < texts->count; i++)
        if (strcmp(texts->at[i], text) == 0)
            return true;
    return false;
}

/* One port may speak both. */
static bool check_proxy(struct reader *r, const struct toml_node *table, void *object)
{
    const struct config *config = object;
    unsigned count = config->socks.count;
    for (unsigned i = 0; i < config->http.count; i++)
        count += !has(&config->socks, config->http.at[i]);
    const struct toml_node *http = toml_get(table, "http");
    return count <= PROXIES_MAX ||
           reader_says(r, http ? http : toml_get(table, "socks"), "more than %d local ports", PROXIES_MAX);
}

static const struct field proxy_fields[] = {
    {"socks", read_ports, offsetof(struct config, socks), LISTEN_ALLOWED},
    {"http", read_ports, offsetof(struct config, http), LISTEN_ALLOWED},
    {"login", read_path, offsetof(struct config, login), "the name of a file"},
};
const struct config_section config_proxy = {.name = "proxy",
                                            .fields = proxy_fields,
                                            .field_count = HW_ARRAY_LEN(proxy_fields),
                                            .begin = begin,
                                            .check = check_proxy};

static const struct field upstream_fields[] = {
    {"server", read_server, offsetof(struct config, upstream.server), "a host and a port: \"server.example:8443\""},
    {"serve", read_local, offsetof(struct config, upstream.serve), "an address and a port: \"192.0.2.1:8443\""},
    {"key", read_path, offsetof(struct config, upstream.key), "the name of a file"},
    {"certificate", read_path, offsetof(struct config, upstream.certificate), "the name of a file"},
    {"private-key", read_path, offsetof(struct config, upstream.private_key), "the name of a file"},
    {"ca", read_path, offsetof(struct config, upstream.ca), "the name of a file"},
    {"server-name", read_path, offsetof(struct config, upstream.server_name), "a name or an address"},
    {"client-ca", read_path, offsetof(struct config, upstream.client_ca), "the name of a file"},
};

/* The key that a complaint names, as its first word or behind "and", if it is there; else the table. */
static const struct toml_node *named_key(const struct toml_node *table, const char *why)
{
    char first[32], second[32];
    for (const struct toml_node *key = table->first; key; key = key->next) {
        snprintf(first, sizeof first, "%s ", key->key);
        snprintf(second, sizeof second, " and %s ", key->key);
        if (strncmp(why, first, strlen(first)) == 0 || strstr(why, second))
            return key;
    }
    return table;
}

static bool check_upstream(struct reader *r, const struct toml_node *table, void *object)
{
    const struct config *config = object;
    char why[256];
    return upstream_words_check(&config->upstream, why, sizeof why) || reader_says(r, named_key(table, why), "%s", why);
}
const struct config_section config_upstream = {.name = "upstream",
                                               .fields = upstream_fields,
                                               .field_count = HW_ARRAY_LEN(upstream_fields),
                                               .begin = begin,
                                               .check = check_upstream};
