/*
 * Blocks between threads: what one JavaScript thread gives up is kept here until exactly one
 * other claims it by its ticket.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "memory.h"

struct ticket {
    struct ticket *next;
    double number;
    const struct source *source;
    double block, size, alignment;
};

static lock_type waiting_lock = LOCK_FREE;
static struct ticket *waiting;
static double last;

/* Deposits a block; its ticket's number, or 0 when there is no memory for one. */
EXPORT double offheap_ticket_put(double source, double block, double size, double alignment) {
    struct ticket *ticket = malloc(sizeof *ticket);
    if (ticket == NULL) return 0;
    ticket->source = to_source(source);
    ticket->block = block;
    ticket->size = size;
    ticket->alignment = alignment;
    lock(&waiting_lock);
    double number = ++last;
    ticket->number = number;
    ticket->next = waiting;
    waiting = ticket;
    unlock(&waiting_lock);
    return number;
}

static struct ticket **find(double number) {
    struct ticket **link = &waiting;
    while (*link != NULL && (*link)->number != number) link = &(*link)->next;
    return link;
}

/* How a claim ends; lib/memory/transfer.ts has the same numbers. */
enum { TAKEN = 0, UNKNOWN = 1, OTHER_ALLOCATOR = 2, CLAIMED_BEFORE = 3 };

/* Takes a block out: its address, size and alignment. One of another allocator is left. */
EXPORT int offheap_ticket_take(double source, double number, double *out) {
    lock(&waiting_lock);
    int status = number >= 1 && number <= last ? CLAIMED_BEFORE : UNKNOWN;
    struct ticket **link = find(number);
    struct ticket *found = *link;
    if (found != NULL && found->source != to_source(source)) {
        status = OTHER_ALLOCATOR;
        found = NULL;
    }
    if (found != NULL) {
        *link = found->next;
        status = TAKEN;
    }
    unlock(&waiting_lock);
    if (found == NULL) return status;
    out[0] = found->block;
    out[1] = found->size;
    out[2] = found->alignment;
    free(found);
    return TAKEN;
}

/* How many blocks of an allocator wait to be claimed. */
EXPORT double offheap_ticket_count(double source) {
    double count = 0;
    lock(&waiting_lock);
    for (struct ticket *each = waiting; each != NULL; each = each->next) {
        if (each->source == to_source(source)) count++;
    }
    unlock(&waiting_lock);
    return count;
}
