/*
 * What each open allocator of JavaScript's has in use, where it can still be read when its thread is
 * gone: a worker that crashes or is terminated frees nothing and tells nothing.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "memory.h"

struct account {
    /* JavaScript writes these two, and no other thread while its own runs. */
    double blocks, bytes;
    struct source *source;
    struct account *next;
};

static thread_key_type accounts_key;
static once_type accounts_once = ONCE_NEW;
static int accounts_failed;

static lock_type lost_lock = LOCK_FREE;

static void end(struct account *account) {
    forget_depositor(to_address(account));
    free(account);
}

THREAD_END(thread_ends, first) {
    if (process_is_ending()) return;
    for (struct account *each = first, *next; each != NULL; each = next) {
        next = each->next;
        lock(&lost_lock);
        each->source->lost_blocks += each->blocks;
        each->source->lost_bytes += each->bytes;
        unlock(&lost_lock);
        end(each);
    }
}

static void make_key(void) {
    accounts_failed = make_thread_key(&accounts_key, thread_ends);
}

/* An empty account of the calling thread with an allocator, or 0. */
EXPORT double offheap_account_open(double source) {
    run_once(&accounts_once, make_key);
    if (accounts_failed != 0) return 0;
    struct account *account = calloc(1, sizeof *account);
    if (account == NULL) return 0;
    account->source = to_pointer(source);
    account->next = thread_value(accounts_key);
    if (set_thread_value(accounts_key, account) == 0) return to_address(account);
    free(account);
    return 0;
}

/* Ends an account, by the thread that opened it: what is in use there is somebody else's affair. */
EXPORT void offheap_account_close(double address) {
    struct account *closing = to_pointer(address);
    struct account *first = thread_value(accounts_key);
    if (first == closing) {
        set_thread_value(accounts_key, closing->next);
    } else {
        while (first->next != closing) first = first->next;
        first->next = closing->next;
    }
    end(closing);
}

/* The blocks and bytes that were in use in threads that have ended: out[0] and out[1]. */
EXPORT void offheap_account_lost(double source, double *out) {
    const struct source *of = to_source(source);
    lock(&lost_lock);
    out[0] = of->lost_blocks;
    out[1] = of->lost_bytes;
    unlock(&lost_lock);
}
