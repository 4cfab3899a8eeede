#include "service/upstream_words.h"

#include <stdio.h>

#include "base/compiler.h"

static void complete(const char **word, const char *by) { *word = *word ? *word : by; }

void upstream_words_complete(struct upstream_words *w, const struct upstream_words *by)
{
    complete(&w->server, by->server);
    complete(&w->serve, by->serve);
    if (!w->key && !w->certificate && !w->private_key) {
        w->key = by->key;
        w->certificate = by->certificate;
        w->private_key = by->private_key;
        complete(&w->ca, by->ca);
        complete(&w->server_name, by->server_name);
        complete(&w->client_ca, by->client_ca);
    }
}

static bool says(bool wrong, char *why, size_t why_size, const char *text)
{
    if (wrong)
        snprintf(why, why_size, "%s", text);
    return wrong;
}

bool upstream_words_check(const struct upstream_words *w, char *why, size_t why_size)
{
    const bool both = w->certificate && w->private_key;
    if (!w->server && !w->serve)
        return true;
    return !(
        says(!w->certificate != !w->private_key, why, why_size,
             "certificate and private-key go together: one of them is missing") ||
        says(!w->key && !both, why, why_size,
             "key is missing: the name of a file with 64 hexadecimal digits, the same at both sides; or "
             "certificate and private-key") ||
        says(w->server && w->key && both, why, why_size,
             "key and certificate: who goes to a server has one of the two; leave the other out") ||
        says(w->serve && both && !w->client_ca, why, why_size,
             "client-ca is missing: the name of a file with the certificates of those who sign clients'; without "
             "it anybody could come") ||
        says(w->client_ca && !(w->serve && both), why, why_size, "client-ca is for who serves with a certificate") ||
        says((w->ca || w->server_name) && !(w->server && both), why, why_size,
             "ca and server-name are for who goes to a server with a certificate"));
}

const char *upstream_words_left_over(const struct upstream_words *w)
{
    const struct {
        const char *word, *name;
    } all[] = {{w->key, "key"}, {w->certificate, "certificate"}, {w->private_key, "private-key"},
               {w->ca, "ca"},   {w->server_name, "server-name"}, {w->client_ca, "client-ca"}};
    for (size_t i = 0; i < HW_ARRAY_LEN(all) && !w->server && !w->serve; i++) {
        if (all[i].word)
            return all[i].name;
    }
    return NULL;
}

struct tls_files upstream_words_files(const struct upstream_words *w, enum tls_role role, const char *host)
{
    return (struct tls_files){.key = w->key,
                              .certificate = w->certificate,
                              .private_key = w->private_key,
                              .ca = role == TLS_SERVER ? w->client_ca : w->ca,
                              .server_name = w->server_name ? w->server_name : host};
}
