#include "base/tree.h"

static enum tree_side side_of(const struct tree_node *node)
{
    return node->parent->side[TREE_RIGHT] == node ? TREE_RIGHT : TREE_LEFT;
}

static enum tree_side opposite(enum tree_side side) { return side == TREE_LEFT ? TREE_RIGHT : TREE_LEFT; }

/* What a node leans by when that side of it is the higher one. */
static int8_t towards(enum tree_side side) { return side == TREE_LEFT ? -1 : 1; }

static void hang(struct tree_node *parent, enum tree_side side, struct tree_node *node)
{
    parent->side[side] = node;
    if (node)
        node->parent = parent;
}

/* `other`, or nothing if it is NULL, hangs where `node` did. */
static void replace(struct tree *tree, struct tree_node *node, struct tree_node *other)
{
    if (node->parent) {
        hang(node->parent, side_of(node), other);
        return;
    }
    tree->root = other;
    if (other)
        other->parent = NULL;
}

/* `node` goes down to `side`, and what is on its other side comes up to where it was. */
static void rotate(struct tree *tree, struct tree_node *node, enum tree_side side)
{
    struct tree_node *up = node->side[opposite(side)];
    replace(tree, node, up);
    hang(node, opposite(side), up->side[side]);
    hang(up, side, node);
}

/* That side of `node` is higher by two. Returns who is there instead, balanced; if he leans, he is as high as `node`
 * was. */
static struct tree_node *straighten(struct tree *tree, struct tree_node *node, enum tree_side high)
{
    struct tree_node *child = node->side[high];
    const int8_t lean = towards(high);
    if (child->lean == -lean) {
        struct tree_node *middle = child->side[opposite(high)];
        rotate(tree, child, high);
        rotate(tree, node, opposite(high));
        node->lean = middle->lean == lean ? (int8_t)-lean : 0;
        child->lean = middle->lean == -lean ? lean : 0;
        middle->lean = 0;
        return middle;
    }
    rotate(tree, node, opposite(high));
    node->lean = (int8_t)(lean - child->lean);
    child->lean = (int8_t)-node->lean;
    return child;
}

/* That side of `node` has become higher by one. */
static void note_growth(struct tree *tree, struct tree_node *node, enum tree_side side)
{
    for (;;) {
        if (node->lean == towards(side)) {
            (void)straighten(tree, node, side);
            return;
        }
        node->lean = (int8_t)(node->lean + towards(side));
        if (node->lean == 0 || !node->parent)
            return;
        side = side_of(node);
        node = node->parent;
    }
}

/* That side of `node` has become lower by one. */
static void note_loss(struct tree *tree, struct tree_node *node, enum tree_side side)
{
    for (;;) {
        const enum tree_side high = opposite(side);
        if (node->lean == towards(high))
            node = straighten(tree, node, high);
        else
            node->lean = (int8_t)(node->lean + towards(high));
        if (node->lean != 0 || !node->parent)
            return;
        side = side_of(node);
        node = node->parent;
    }
}

static struct tree_node *outermost(struct tree_node *node, enum tree_side side)
{
    while (node && node->side[side])
        node = node->side[side];
    return node;
}

void tree_insert_after(struct tree *tree, struct tree_node *at, struct tree_node *node)
{
    enum tree_side side = TREE_RIGHT;
    struct tree_node *next = at ? at->side[TREE_RIGHT] : tree->root;
    if (next) {
        at = outermost(next, TREE_LEFT);
        side = TREE_LEFT;
    }
    *node = (struct tree_node){.parent = at};
    if (!at) {
        tree->root = node;
        return;
    }
    at->side[side] = node;
    note_growth(tree, at, side);
}

/* The node that follows it takes the place of one that has others on both sides. Returns where the tree has become
 * lower, and sets on which side. */
static struct tree_node *let_next_stand_in(struct tree *tree, struct tree_node *node, enum tree_side *side)
{
    struct tree_node *next = outermost(node->side[TREE_RIGHT], TREE_LEFT), *lower = next;
    *side = TREE_RIGHT;
    if (next != node->side[TREE_RIGHT]) {
        lower = next->parent;
        *side = TREE_LEFT;
        hang(lower, TREE_LEFT, next->side[TREE_RIGHT]);
        hang(next, TREE_RIGHT, node->side[TREE_RIGHT]);
    }
    hang(next, TREE_LEFT, node->side[TREE_LEFT]);
    next->lean = node->lean;
    replace(tree, node, next);
    return lower;
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
    struct tree_node *lower = node->parent;
    enum tree_side side = lower ? side_of(node) : TREE_LEFT;
    if (node->side[TREE_LEFT] && node->side[TREE_RIGHT])
        lower = let_next_stand_in(tree, node, &side);
    else
        replace(tree, node, node->side[node->side[TREE_LEFT] ? TREE_LEFT : TREE_RIGHT]);
    if (lower)
        note_loss(tree, lower, side);
}

struct tree_node *tree_last(const struct tree *tree) { return outermost(tree->root, TREE_RIGHT); }
