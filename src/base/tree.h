/*
 * Intrusive balanced trees (AVL): what lies in an order, with a search from the root, an insertion and a removal in
 * time that grows with the logarithm of how many there are, whatever a peer has happen to them.
 *
 * The order is that of insertion: a node is put behind another one. What it is kept in the order of is the caller's
 * affair, who searches by going down from `root` to either side.
 */
#ifndef HW_BASE_TREE_H
#define HW_BASE_TREE_H

#include <stdint.h>

#include "base/compiler.h"

enum tree_side { TREE_LEFT, TREE_RIGHT };

struct tree_node {
    struct tree_node *side[2]; /* by enum tree_side: what comes before it, and after it */
    struct tree_node *parent;  /* NULL: the root */
    int8_t lean;               /* by how much the right side is higher than the left one: -1, 0 or 1 */
};

struct tree {
    struct tree_node *root; /* NULL: empty */
};

/* Puts `node` behind `at`, before what followed that; NULL: before all others. */
void tree_insert_after(struct tree *tree, struct tree_node *at, struct tree_node *node);
/* Takes out a node that is in the tree. */
void tree_remove(struct tree *tree, struct tree_node *node);
/* NULL when it is empty. */
struct tree_node *tree_last(const struct tree *tree);

#define TREE_ENTRY(node, type, member) HW_CONTAINER(node, type, member)

#endif
