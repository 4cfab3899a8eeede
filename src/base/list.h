/* Intrusive doubly linked lists. A node that is in no list points to itself. */
#ifndef HW_BASE_LIST_H
#define HW_BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *l) { l->prev = l->next = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node) { list_insert_between(node, head->prev, head); }
static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_between(node, head, head->next);
}
static inline void list_insert_after(struct list *at, struct list *node) { list_insert_between(node, at, at->next); }

/* Takes `node` out of whatever list it is in; harmless when it is in none. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* To the end of that list, from whatever list it is in. */
static inline void list_move_back(struct list *head, struct list *node)
{
    list_remove(node);
    list_push_back(head, node);
}

/* The first node, or NULL. */
static inline struct list *list_first(const struct list *head) { return list_empty(head) ? NULL : head->next; }

#define LIST_ENTRY(node, type, member) HW_CONTAINER(node, type, member)

/* Walks a list whose nodes may be removed while they are visited. */
#define LIST_EACH(it, head)                                                                                            \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

#endif
