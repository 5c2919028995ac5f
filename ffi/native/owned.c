/*
 * See owned.h.
 */
#define _GNU_SOURCE
#include "owned.h"

#include <stddef.h>

#include "platform/platform.h"

static thread_key_type owned_key;
static once_type owned_once = ONCE_NEW;
static int owned_failed;

THREAD_END(thread_ends, first) {
    if (process_is_ending()) return;
    for (struct owned *each = first, *next; each != NULL; each = next) {
        next = each->next;
        each->end(each);
    }
}

static void make_key(void) {
    owned_failed = make_thread_key(&owned_key, thread_ends);
}

int own(struct owned *it, void (*end)(struct owned *it)) {
    run_once(&owned_once, make_key);
    if (owned_failed != 0) return owned_failed;
    it->end = end;
    it->next = thread_value(owned_key);
    return set_thread_value(owned_key, it);
}

void disown(struct owned *it) {
    struct owned *first = thread_value(owned_key);
    if (first == it) {
        set_thread_value(owned_key, it->next);
        return;
    }
    while (first->next != it) first = first->next;
    first->next = it->next;
}
