#include "service/privileges.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cap-ng.h>

static int complain(char *why, size_t why_size, const char *user, const char *what)
{
    int error = errno && !what ? -errno : -EPERM;
    snprintf(why, why_size, "cannot become the user \"%s\": %s", user, what ? what : strerror(-error));
    return error;
}

/* Some file systems say who may be there; in a namespace of users most users are nobody. */
static bool can_be_become(const struct passwd *entry)
{
    if (setresuid((uid_t)-1, entry->pw_uid, (uid_t)-1) != 0)
        return false;
    return setresuid((uid_t)-1, 0, (uid_t)-1) == 0;
}

static void give_away(const char *const *own, const struct passwd *entry)
{
    struct stat st;
    for (; *own; own++) {
        if (lstat(*own, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0)
            (void)!lchown(*own, entry->pw_uid, (gid_t)-1);
    }
}

static void keep_net_admin(void)
{
    capng_clear(CAPNG_SELECT_BOTH);
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
}

static int become(const struct passwd *entry)
{
    keep_net_admin();
    errno = 0;
    return capng_change_id((int)entry->pw_uid, (int)entry->pw_gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) == 0
               ? 0
               : -1;
}

/* Who it is to be; *other is NULL where it stays who it is. */
static int find(const char *user, const struct passwd **other, char *why, size_t why_size)
{
    const char *name = user ? user : PRIVILEGES_USER;
    const struct passwd *entry = geteuid() == 0 ? getpwnam(name) : NULL;
    *other = NULL;
    errno = 0;
    if (user && geteuid() != 0)
        return complain(why, why_size, name, "only root can be another one");
    if (user && !entry)
        return complain(why, why_size, name, "there is none: make it by useradd --system, or name another one");
    if (!entry || entry->pw_uid == 0)
        return 0;
    if (can_be_become(entry))
        *other = entry;
    else if (user)
        return complain(why, why_size, name, "not in this namespace of users");
    return 0;
}

int privileges_check(const char *user, char *why, size_t why_size)
{
    const struct passwd *entry;
    return user ? find(user, &entry, why, why_size) : 0;
}

int privileges_drop(const char *user, const char *const *own, char *why, size_t why_size)
{
    const char *name = user ? user : PRIVILEGES_USER;
    const struct passwd *entry;
    int error = find(user, &entry, why, why_size);
    if (error)
        return error;
    if (entry) {
        give_away(own, entry);
        if (become(entry) != 0)
            return complain(why, why_size, name, NULL);
    } else {
        keep_net_admin();
        if (capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN) && capng_apply(CAPNG_SELECT_CAPS) != 0 &&
            geteuid() == 0)
            return complain(why, why_size, name, "its capabilities cannot be given up");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return complain(why, why_size, name, "new privileges cannot be forgone");
    return 0;
}
