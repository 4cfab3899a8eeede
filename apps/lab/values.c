#include "values.h"

#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"

struct value_unit {
    const char *name;
    uint64_t factor;
};

/* The digits of `text` times `factor`, so that 1.5 of 1000 is 1500. */
static bool value_scale(const char *text, size_t digits, uint64_t factor, uint64_t *out)
{
    uint64_t value = 0, fraction_unit = factor;
    bool fraction = false;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] == '.') {
            fraction = true;
            continue;
        }
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (fraction) {
            fraction_unit /= 10;
            value += digit * fraction_unit;
        } else if (value > UINT64_MAX / 20 - factor || factor > UINT64_MAX / 20) {
            return false;
        } else {
            value = value * 10 + digit * factor;
        }
    }
    *out = value;
    return true;
}

static bool value_read(const char *text, const struct value_unit *units, size_t count, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0)
        return false;
    if (text[digits] == '.') {
        size_t decimals = strspn(text + digits + 1, "0123456789");
        if (decimals == 0)
            return false;
        digits += 1 + decimals;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text + digits, units[i].name) == 0)
            return value_scale(text, digits, units[i].factor, out);
    }
    return false;
}

bool value_rate(const char *text, uint64_t *bps)
{
    static const struct value_unit units[] = {{"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}};
    return value_read(text, units, HW_ARRAY_LEN(units), bps);
}

bool value_duration(const char *text, uint64_t *ns)
{
    static const struct value_unit units[] = {{"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S}};
    return value_read(text, units, HW_ARRAY_LEN(units), ns);
}

bool value_bytes(const char *text, uint64_t *bytes)
{
    static const struct value_unit units[] = {{"", 1},
                                              {"k", 1000},
                                              {"m", 1000000},
                                              {"g", 1000000000},
                                              {"ki", UINT64_C(1) << 10},
                                              {"mi", UINT64_C(1) << 20},
                                              {"gi", UINT64_C(1) << 30}};
    return value_read(text, units, HW_ARRAY_LEN(units), bytes);
}

bool value_percent(const char *text, uint32_t *ppm)
{
    static const struct value_unit units[] = {{"%", 10000}};
    uint64_t value;
    if (!value_read(text, units, HW_ARRAY_LEN(units), &value) || value > 1000000)
        return false;
    *ppm = (uint32_t)value;
    return true;
}

bool value_seconds(const char *text, uint64_t *ns)
{
    static const struct value_unit units[] = {{"", NS_PER_S}, {"s", NS_PER_S}};
    return value_read(text, units, HW_ARRAY_LEN(units), ns);
}

bool value_number(const char *text, uint64_t *number)
{
    static const struct value_unit units[] = {{"", 1}};
    return strchr(text, '.') == NULL && value_read(text, units, HW_ARRAY_LEN(units), number);
}
