/* A doubly linked list through its members: a head is a struct list that points at itself when empty. */
#pragma once

#include <stdbool.h>

struct list {
        struct list *prev;
        struct list *next;
};

static inline void list_init(struct list *list) {
        list->prev = list;
        list->next = list;
}

static inline bool list_empty(const struct list *list) {
        return list->next == list;
}

/* Puts link at the end of the list. */
static inline void list_append(struct list *list, struct list *link) {
        link->prev = list->prev;
        link->next = list;
        list->prev->next = link;
        list->prev = link;
}

/* Takes link out; it is then a list of its own, so taking it out again does no harm. */
static inline void list_remove(struct list *link) {
        link->prev->next = link->next;
        link->next->prev = link->prev;
        list_init(link);
}
