#include "service/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/compiler.h"
#include "commands.h"
#include "service/device.h"
#include "service/proxies.h"
#include "service/publish.h"
#include "service/ways_out.h"

bool reload_begin(struct reload *reload, struct up_options *options, char *why, size_t why_size)
{
    *reload = (struct reload){.told = *options, .path = options->config_path};
    if (!reload->path && access(CONFIG_PATH, F_OK) == 0)
        reload->path = CONFIG_PATH;
    if (!reload->path)
        return true;
    if (!config_read(&reload->start, reload->path, why, why_size))
        return false;
    up_options_complete(options, &reload->start);
    return true;
}

static void note_missing(const char *role, const char *name)
{
    unsigned index;
    if (device_index(name, &index) == -ENODEV)
        command_say(LOG_WARNING, "up", "%s %s: there is no such interface now; it holds for one that comes", role,
                    name);
}

/* Mistyped names look like those of interfaces that are still to come. */
static void note_all_missing(const struct choice *choice, const struct up_options *options)
{
    for (unsigned i = 0; i < options->allowed_count; i++)
        note_missing("allow", options->allowed[i]);
    for (unsigned i = 0; i < options->excluded_count; i++)
        note_missing("exclude", options->excluded[i]);
    for (unsigned i = 0; i < choice->backup.count; i++)
        note_missing("backup", choice->backup.at[i]);
    for (unsigned i = 0; i < choice->rule_count; i++)
        note_missing("first-uplink", choice->rules[i].uplink);
}

void reload_apply(struct reload *reload, const struct up_options *options)
{
    struct hawser_conn_options *far = &reload->service->direct.options;
    reload->paths = up_options_paths(options);
    far->no_mptcp = options->no_mptcp;
    far->scheduler = options->scheduler ? options->scheduler : hawser_scheduler_find("lowest-rtt");
    far->paths = &reload->paths;
    if (reload->service->ways)
        note_all_missing(&reload->service->choice, options);
}

/* Does a change of that key need no new start? */
static bool is_live(const char *key)
{
    static const char *const live[] = {"scheduler", "path-manager", "mptcp", "uplinks", "door", "publish", "uplink"};
    for (size_t i = 0; i < HW_ARRAY_LEN(live); i++) {
        if (strcmp(key, live[i]) == 0)
            return true;
    }
    return false;
}

/* Once. */
static void note_change(void *user, const char *key)
{
    const json_t *noted;
    size_t i;
    json_array_foreach(user, i, noted)
    {
        if (strcmp(json_string_value(noted), key) == 0)
            return;
    }
    if (!is_live(key))
        json_array_append_new(user, json_string(key));
}

/* What the file says was checked. */
static int apply_uplinks(struct reload *reload, const struct up_options *options, char *why, size_t why_size)
{
    struct service *service = reload->service;
    char reason[480];
    bool complete = true;
    int error;
    if (reload->named) {
        error = named_uplinks_set(reload->named, options->uplinks, options->uplink_count, reason, sizeof reason);
        complete = named_uplinks_complete(reload->named);
    } else if ((error = ways_select(service->ways, options->allowed, options->excluded)) != 0) {
        snprintf(reason, sizeof reason, "%s", strerror(-error));
    }
    if (error)
        snprintf(why, why_size, "%s: %s", complete ? "the uplinks are as before" : "an uplink was lost", reason);
    else if ((error = service_set_backups(service, options->backups, options->backup_count)) != 0)
        snprintf(why, why_size, "backups are as before: %s", strerror(-error));
    return error ? error : choice_set(&service->choice, options->first, options->first_count, why, why_size);
}

/* Those that the service was begun with. What is root's alone its next start reads. One that is gone hinders nothing
 * but that start: what was read of it is as good as ever. */
static int read_files_again(struct reload *reload, json_t *answer, char *why, size_t why_size)
{
    struct proxies *proxies = reload->service->proxies;
    char reason[400];
    struct up_options begun = reload->told;
    up_options_complete(&begun, &reload->start);
    int error = proxies ? proxies_read_again(proxies, &begun.proxies.upstream, reason, sizeof reason) : 0;
    if (!error)
        return 0;
    snprintf(why, why_size, "upstream goes on with the keys and certificates that it has: %s", reason);
    if (error != -EACCES && error != -ENOENT)
        return error;
    command_say(LOG_WARNING, "up", "%s", why);
    if (error == -EACCES)
        note_change(json_object_get(answer, "after_restart"), "upstream");
    else
        json_object_set_new(answer, "warning", json_string(why));
    return 0;
}

static int apply_ways_in(struct reload *reload, const struct up_options *options, char *why, size_t why_size)
{
    int error = 0;
    if (reload->doors)
        error = doors_set(reload->doors, options->doors, options->door_count, why, why_size);
    if (!error && reload->publish)
        error = publish_set(reload->publish, options->published, options->published_count, why, why_size);
    return error;
}

/* To what was there before, after `why`. */
static void go_back(struct reload *reload, const struct up_options *former, char *why, size_t why_size)
{
    char reason[700], unsaid[700];
    const size_t used = strlen(why);
    int error = apply_uplinks(reload, former, reason, sizeof reason);
    if (apply_ways_in(reload, former, error ? unsaid : reason, sizeof reason) != 0 || error)
        snprintf(why + used, why_size - used, "; of what was there before: %s", reason);
}

static int apply_all(struct reload *reload, const struct up_options *options, char *why, size_t why_size)
{
    struct up_options former = reload->told;
    up_options_complete(&former, reload->latest.tree ? &reload->latest : &reload->start);
    int error = apply_uplinks(reload, options, why, why_size);
    if (error)
        return error;
    error = apply_ways_in(reload, options, why, why_size);
    if (error) {
        go_back(reload, &former, why, why_size);
        return error;
    }
    reload_apply(reload, options);
    if (reload->service->proxies)
        proxies_renew(reload->service->proxies);
    return 0;
}

/* The start sets the host and the stack's ports up for uplinks that are found, or for named ones. */
static bool is_possible(const struct reload *reload, const struct up_options *options, char *why, size_t why_size)
{
    const char *wrong = NULL;
    if (up_options_check(options, why, why_size) < 0)
        return false;
    if (reload->named && up_options_find_uplinks(options))
        wrong = "no [[uplink]] is there, and this service does not look for any";
    else if (!reload->named && options->uplink_count)
        wrong = "an [[uplink]] is there, and this service looks for uplinks itself";
    if (wrong)
        snprintf(why, why_size, "%s: %s: nothing was changed; hawser down, and hawser up, take it", reload->path,
                 wrong);
    const struct uplink_names names = {.allowed = options->allowed, .excluded = options->excluded};
    return !wrong && (!reload->doors ||
                      doors_check(reload->doors, options->doors, options->door_count, &names, why, why_size) == 0);
}

static enum control_verdict run(void *user, struct control_request *request, json_t *answer)
{
    struct reload *reload = user;
    struct config config;
    if (!reload->path)
        return control_refuse(request, "the service has no configuration: start it by hawser up -c FILE");
    struct up_options options = reload->told;
    json_t *later = json_array();
    json_object_set_new(answer, "after_restart", later);
    bool good = config_read(&config, reload->path, request->why, sizeof request->why);
    if (good) {
        up_options_complete(&options, &config);
        config_compare(&reload->start, &config, note_change, later);
        good = is_possible(reload, &options, request->why, sizeof request->why) &&
               read_files_again(reload, answer, request->why, sizeof request->why) == 0 &&
               apply_all(reload, &options, request->why, sizeof request->why) == 0;
    }
    config_free(good ? &reload->latest : &config);
    if (good)
        reload->latest = config;
    return good ? CONTROL_DONE : CONTROL_REFUSED;
}

int reload_add_verb(struct reload *reload, struct service *service)
{
    reload->service = service;
    return control_add_verb(&service->control,
                            &(struct control_verb){.name = "reload", .owner_only = true, .run = run, .user = reload});
}

void reload_free(struct reload *reload)
{
    config_free(&reload->start);
    config_free(&reload->latest);
}
