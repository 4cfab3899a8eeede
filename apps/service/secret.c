#include "service/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t read_file(int fd, const char *path, bool secret, char *out, size_t size, char *why, size_t why_size)
{
    struct stat file;
    ssize_t n = fd < 0 || fstat(fd, &file) < 0 ? -1 : read(fd, out, size);
    if (n < 0) {
        int error = -errno;
        snprintf(why, why_size, "%s: %s", path, strerror(-error));
        return error;
    }
    if (secret && S_ISREG(file.st_mode) && file.st_mode & (S_IROTH | S_IWOTH)) {
        snprintf(why, why_size, "%s: everybody may read it or write it: chmod o= %s", path, path);
        return -EPERM;
    }
    if ((size_t)n == size) {
        snprintf(why, why_size, "%s: longer than %zu bytes", path, size - 1);
        return -E2BIG;
    }
    out[n] = '\0';
    return n;
}

static ssize_t read_path(const char *path, bool secret, char *out, size_t size, char *why, size_t why_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = read_file(fd, path, secret, out, size, why, why_size);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        explicit_bzero(out, size);
    return n;
}

ssize_t secret_read(const char *path, char *out, size_t size, char *why, size_t why_size)
{
    return read_path(path, true, out, size, why, why_size);
}

ssize_t public_read(const char *path, char *out, size_t size, char *why, size_t why_size)
{
    return read_path(path, false, out, size, why, why_size);
}
