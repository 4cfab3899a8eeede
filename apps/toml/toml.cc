// The only place that sees the TOML library. No exception leaves it.
#include "toml/toml.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml++/toml.h>

namespace
{

unsigned line_of(const toml::node &node) { return static_cast<unsigned>(node.source().begin.line); }

void convert(toml_node *parent, const toml::node &from, unsigned line, const char *key);

toml_node *add(toml_node *parent, toml_kind kind, unsigned line, const char *key)
{
    toml_node *node = toml_add(parent, kind, line, key);
    if (!node)
        throw std::bad_alloc();
    return node;
}

// C strings end at a zero byte: a key with one must not pass for the part before it.
std::string key_text(std::string_view key)
{
    std::string text(key);
    std::replace(text.begin(), text.end(), '\0', '?');
    return text;
}

// The library sorts by key; what is read and complained of first should be what stands first.
void convert_table(toml_node *node, const toml::table &table)
{
    std::vector<std::pair<std::string, const toml::node *>> children;
    std::vector<unsigned> lines;
    for (auto &&[key, value] : table)
        children.emplace_back(key_text(key.str()), &value);
    std::stable_sort(children.begin(), children.end(),
                     [](const auto &a, const auto &b) { return line_of(*a.second) < line_of(*b.second); });
    for (const auto &[key, value] : children)
        convert(node, *value, line_of(*value), key.c_str());
}

void convert(toml_node *parent, const toml::node &from, unsigned line, const char *key)
{
    if (const toml::table *table = from.as_table()) {
        convert_table(add(parent, TOML_TABLE, line, key), *table);
    } else if (const toml::array *array = from.as_array()) {
        toml_node *node = add(parent, TOML_ARRAY, line, key);
        for (const toml::node &item : *array)
            convert(node, item, line_of(item), nullptr);
    } else if (const auto *text = from.as_string()) {
        toml_node *node = add(parent, TOML_STRING, line, key);
        if (std::memchr(text->get().data(), 0, text->get().size())) // C strings end there
            node->kind = TOML_OTHER;
        else if (!(node->text = strdup(text->get().c_str())))
            throw std::bad_alloc();
    } else if (const auto *integer = from.as_integer()) {
        add(parent, TOML_INTEGER, line, key)->integer = integer->get();
    } else if (const auto *boolean = from.as_boolean()) {
        add(parent, TOML_BOOLEAN, line, key)->integer = boolean->get();
    } else {
        add(parent, TOML_OTHER, line, key);
    }
}

} // namespace

static toml_node *parse(std::string_view text, unsigned *line, char *why, size_t why_size)
{
    toml_node *root = nullptr;
    try {
        root = add(nullptr, TOML_TABLE, 1, nullptr);
        convert_table(root, toml::parse(text));
        return root;
    } catch (const toml::parse_error &error) {
        *line = static_cast<unsigned>(error.source().begin.line);
        std::snprintf(why, why_size, "%s", std::string(error.description()).c_str());
    } catch (const std::exception &error) {
        std::snprintf(why, why_size, "%s", error.what());
    }
    toml_free(root);
    return nullptr;
}

toml_node *toml_read(const char *path, unsigned *line, char *why, size_t why_size)
{
    size_t len;
    *line = 0;
    char *text = toml_load(path, &len, why, why_size);
    if (!text)
        return nullptr;
    toml_node *root = nullptr;
    *line = toml_too_deep(text, len);
    if (*line)
        std::snprintf(why, why_size, "too deep: at most %u open brackets and %u dots in a key", TOML_BRACKETS_MAX,
                      TOML_LINE_DOTS_MAX);
    else
        root = parse(std::string_view(text, len), line, why, why_size);
    std::free(text);
    return root;
}
