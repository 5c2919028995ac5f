/*
 * What each open allocator of JavaScript's has in use, where it can still be read when its thread is
 * gone: a worker that crashes or is terminated frees nothing and reports nothing.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "memory.h"
#include "owned.h"

struct account {
    /* JavaScript writes these two, and no other thread while its own runs. */
    double blocks, bytes;
    struct owned owned;
    struct source *source;
};

_Static_assert(offsetof(struct account, blocks) == 0 && offsetof(struct account, bytes) == sizeof(double),
               "lib/memory/shared/account.ts writes two doubles");

static lock_type lost_lock = LOCK_FREE;

static void end(struct account *account) {
    forget_depositor(to_address(account));
    free(account);
}

static void thread_ends(struct owned *owned) {
    struct account *account = (struct account *)((char *)owned - offsetof(struct account, owned));
    lock(&lost_lock);
    account->source->lost_blocks += account->blocks;
    account->source->lost_bytes += account->bytes;
    unlock(&lost_lock);
    end(account);
}

/* An empty account of the calling thread with an allocator, or 0. */
EXPORT double offheap_account_open(double source) {
    struct account *account = calloc(1, sizeof *account);
    if (account == NULL) return 0;
    account->source = to_pointer(source);
    if (own(&account->owned, thread_ends) == 0) return to_address(account);
    free(account);
    return 0;
}

/* Ends an account, by the thread that opened it: what is in use there is somebody else's affair. */
EXPORT void offheap_account_close(double address) {
    struct account *closing = to_pointer(address);
    disown(&closing->owned);
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
