/*
 * The configuration of the service: one TOML file, hawser.toml(5), read and checked as a whole before anything is done.
 * A part of the service that has keys of its own brings a section along: a table of fields.
 */
#ifndef HW_APPS_SERVICE_CONFIG_H
#define HW_APPS_SERVICE_CONFIG_H

#include <hawser/path_manager.h>
#include <hawser/scheduler.h>

#include "service/upstream_words.h"
#include "toml/reader.h"

#define CONFIG_PATH "/etc/hawser/hawser.toml"

enum { CONFIG_LINKS = 16, CONFIG_INTERFACES = 48, CONFIG_PUBLISHED = 64, CONFIG_TEXTS = 256, CONFIG_SPEC_SIZE = 5120 };

/* A list of texts. */
struct config_texts {
    const char *at[CONFIG_TEXTS];
    unsigned count;
};

/* A TUN device, as a door or an uplink. */
struct config_link {
    const char *device, *capture;
    const char *interface; /* of a door: whose clients come in */
    bool fails_closed;
    char made[16]; /* the device's name, where the interface makes it */
    uint64_t mtu;
    bool no_gso;
    struct config_texts addresses;
    char spec[CONFIG_SPEC_SIZE]; /* all of it, as hawser_host_add_link() reads it */
};

/* A TCP port that is published. */
struct config_publish {
    uint64_t port;
    const char *to;
    bool tells;
    char text[128]; /* all of it, as publish_rule_read() reads it */
};

/* What the file says; what it does not say is NULL or 0. */
struct config {
    struct toml_node *tree; /* what texts lie in */
    const struct hawser_scheduler *scheduler;
    const struct hawser_path_manager *manager;
    const char *congestion, *control, *group, *user;
    bool no_mptcp;
    struct config_texts allow, exclude, backup, first; /* [uplinks] */
    struct config_texts allow_publish;                 /* [programs] */
    struct config_texts socks, http;                   /* [proxy] */
    const char *login;                                 /* likewise */
    struct upstream_words upstream;                    /* [upstream] */
    struct config_link *doors, *uplinks;               /* of CONFIG_LINKS each */
    unsigned door_count, uplink_count;
    struct config_publish *published; /* of CONFIG_PUBLISHED */
    unsigned published_count;
};

/* A table of the file. */
struct config_section {
    const char *name; /* "": the keys at the top */
    bool many;        /* [[name]]: any number of them */
    const struct field *fields;
    size_t field_count;
    void *(*begin)(struct config *config); /* whose fields they are; NULL: no room for one more */
    /* What no field tells alone; complains by reader_says(). May be NULL. */
    bool (*check)(struct reader *r, const struct toml_node *table, void *object);
};

/* All of them, the top first; NULL past the end. */
const struct config_section *config_section(size_t i);

/* Reads a file. Returns false and in `why` one line: FILE:LINE: what is wrong, and what may stand there. The
 * configuration is to be freed either way. */
bool config_read(struct config *config, const char *path, char *why, size_t why_size);
void config_free(struct config *config);

/* Calls `tell` for each key at the top, or table, in which the two differ. */
void config_compare(const struct config *a, const struct config *b, void (*tell)(void *user, const char *key),
                    void *user);

/* A field of texts: struct config_texts. */
bool config_read_texts(struct reader *r, const struct toml_node *node, void *out);

#endif
