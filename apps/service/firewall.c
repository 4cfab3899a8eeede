#include "service/firewall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nftables/libnftables.h>

#include "service/door_filter.h"
#include "service/program_net.h"
#include "service/publish.h"
#include "service/ways_out.h"

#define OWN_TABLES "hawser_"

enum { LINE_SIZE = 512 };

/* Without what it is indented by; returns what follows, NULL at the end. */
static const char *next_line(const char *text, char line[LINE_SIZE])
{
    if (!*text)
        return NULL;
    text += strspn(text, " \t");
    size_t len = strcspn(text, "\n");
    snprintf(line, LINE_SIZE, "%.*s", (int)len, text);
    text += len;
    return text + (*text == '\n');
}

size_t firewall_chains(const char *listing, struct firewall_chain chains[FIREWALL_CHAINS])
{
    char line[LINE_SIZE], family[16] = "", table[64] = "", name[64] = "";
    size_t count = 0;
    while (count < FIREWALL_CHAINS && (listing = next_line(listing, line))) {
        if (sscanf(line, "table %15s %63s", family, table) == 2 || sscanf(line, "chain %63s", name) == 1)
            continue;
        bool looks = strstr(line, "type filter hook forward") || strstr(line, "type filter hook input");
        if (looks && strcmp(family, "bridge") != 0 && strncmp(table, OWN_TABLES, strlen(OWN_TABLES)) != 0)
            snprintf(chains[count++].name, sizeof(chains->name), "%s %s %s", family, table, name);
    }
    return count;
}

static const char *skip_counter(const char *rule)
{
    int len = 0;
    sscanf(rule, "counter packets %*u bytes %*u %n", &len);
    return rule + len;
}

/* A rule that lets pass all that goes that way ("iifname") by the device, alone or in a set of some. */
static bool lets_pass(const char *rule, const char *way, const char *device)
{
    size_t len = strlen(way);
    if (strncmp(rule, way, len) != 0 || rule[len] != ' ')
        return false;
    const char *names = rule + len + 1, *end = *names == '{' ? strchr(names, '}') : strchr(names, ' ');
    if (!end)
        return false;
    end += *end == '}';
    const char *found = strstr(names, device);
    return found && found < end && *end == ' ' && strcmp(skip_counter(end + 1), "accept") == 0;
}

bool firewall_chain_drops(const char *listing)
{
    static const char *const devices[] = {"\"" WAYS_DEVICE "\"", "\"" PUBLISH_DEVICE "\"",
                                          "\"" PROGRAM_DEVICE_PREFIX "*\"", "\"" DOOR_DEVICE_PREFIX "*\""};
    static const char all[] = "\"" FIREWALL_PREFIX "*\"";
    enum { DEVICES = sizeof(devices) / sizeof(devices[0]) };
    bool drops = false, input = false, in[DEVICES] = {false}, out[DEVICES] = {false};
    char line[LINE_SIZE];
    while ((listing = next_line(listing, line)) && line[0] != '}') {
        if (strstr(line, "type filter hook")) {
            input = strstr(line, "hook input");
            drops = strstr(line, "policy drop");
            continue;
        }
        for (size_t i = 0; i < DEVICES; i++) {
            bool prefixed = strncmp(devices[i] + 1, FIREWALL_PREFIX, strlen(FIREWALL_PREFIX)) == 0;
            in[i] |= lets_pass(line, "iifname", devices[i]) || (prefixed && lets_pass(line, "iifname", all));
            out[i] |= lets_pass(line, "oifname", devices[i]) || (prefixed && lets_pass(line, "oifname", all));
        }
        const char *verdict = skip_counter(line);
        drops |= strcmp(verdict, "drop") == 0 || strncmp(verdict, "reject", strlen("reject")) == 0;
    }
    for (size_t i = 0; i < DEVICES; i++) {
        if (!in[i] || !(out[i] || input))
            return drops;
    }
    return false;
}

static char *list(struct nft_ctx *nft, const char *command)
{
    if (nft_run_cmd_from_buffer(nft, command) != 0)
        return NULL;
    const char *said = nft_ctx_get_output_buffer(nft);
    return said ? strdup(said) : NULL;
}

bool firewall_hinders(struct nft_ctx *nft, char *chains, size_t size)
{
    struct firewall_chain all[FIREWALL_CHAINS];
    char *listing = list(nft, "list chains");
    size_t count = listing ? firewall_chains(listing, all) : 0, len = 0;
    free(listing);
    chains[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char command[sizeof(all[i].name) + sizeof("list chain ")];
        snprintf(command, sizeof(command), "list chain %s", all[i].name);
        listing = list(nft, command);
        if (listing && firewall_chain_drops(listing) && len + strlen(all[i].name) + sizeof(" ''") <= size)
            len += (size_t)snprintf(chains + len, size - len, "%s'%s'", len ? " " : "", all[i].name);
        free(listing);
    }
    return len > 0;
}
