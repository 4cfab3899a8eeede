#include "service/dial_words.h"

#include <errno.h>
#include <string.h>

const char *dial_words(int error)
{
    switch (error) {
    case -ENOENT:
        return "no host has that name: see how it is spelled, and which resolver /etc/resolv.conf names";
    case -EREMOTEIO:
        return "no resolver says who has that name: see whether those of /etc/resolv.conf answer";
    case -EADDRNOTAVAIL:
        return "no port of an uplink is left to that destination: try again in a minute";
    case -ENETUNREACH:
        return "no uplink, or no router behind it, leads to that address";
    case -EINVAL:
        return "no uplink leads to that address: go to this host's own without the proxy";
    case -EACCES:
        return "that destination is forbidden: it is the upstream's own, or no host's";
    default:
        return strerror(-error);
    }
}
