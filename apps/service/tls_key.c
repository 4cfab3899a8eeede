/* The file with the key that both sides have. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "service/secret.h"
#include "service/tls_credentials.h"

enum { TLS_FILE_MAX = 2 * TLS_KEY_BYTES + 2 };

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool read_digits(const char *text, size_t len, uint8_t key[TLS_KEY_BYTES])
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    for (size_t i = 0; i < TLS_KEY_BYTES && len == 2 * TLS_KEY_BYTES; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high << 4 | low);
    }
    return len == 2 * TLS_KEY_BYTES;
}

int tls_read_key(const char *path, uint8_t key[TLS_KEY_BYTES], char *why, size_t why_size)
{
    char text[TLS_FILE_MAX + 1];
    ssize_t n = secret_read(path, text, sizeof text, why, why_size);
    if (n < 0 && n != -E2BIG)
        return (int)n;
    bool right = n > 0 && read_digits(text, (size_t)n, key);
    explicit_bzero(text, sizeof text);
    if (!right)
        snprintf(why, why_size, "%s: no key, which is %d hexadecimal digits: make one by openssl rand -hex %d", path,
                 2 * TLS_KEY_BYTES, TLS_KEY_BYTES);
    return right ? 0 : -EINVAL;
}
