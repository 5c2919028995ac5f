/*
 * Blocks between threads: what one JavaScript thread gives up is kept here until exactly one
 * other claims it by its ticket.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "memory.h"

struct ticket {
    struct ticket *next;
    int64_t number;
    const struct source *source;
    /* Known to whoever was given the handle: numbers can be guessed. */
    double secret;
    double block, size, alignment;
    /* The function that frees it; 0 for the allocator's own. */
    double release;
    /* The account of the allocator that gave it up, see account.c; 0 when that is closed. */
    double depositor;
};

/*
 * Those that wait, in buckets by number, counting up: as long as there are as many buckets as
 * tickets, each is found at once.
 */
enum { FIRST_BUCKETS = 64 };
static struct ticket *first_buckets[FIRST_BUCKETS];
static struct ticket **buckets = first_buckets;
static size_t bucket_count = FIRST_BUCKETS, waiting;
static int64_t last;
static lock_type waiting_lock = LOCK_FREE;

_Static_assert((FIRST_BUCKETS & (FIRST_BUCKETS - 1)) == 0, "a number's last bits are its bucket");

#define EACH_WAITING(it)                                                       \
    for (size_t bucket = 0; bucket < bucket_count; bucket++)                   \
        for (struct ticket *it = buckets[bucket]; it != NULL; it = it->next)

static struct ticket **bucket_of(struct ticket **all, size_t count, int64_t number) {
    return &all[(size_t)number & (count - 1)];
}

static void put_into(struct ticket **bucket, struct ticket *ticket) {
    ticket->next = *bucket;
    *bucket = ticket;
}

/* Twice as many buckets. Without memory for them there are more tickets in each. */
__attribute__((noinline, cold)) static void add_buckets(void) {
    size_t count = 2 * bucket_count;
    struct ticket **more = calloc(count, sizeof *more);
    if (more == NULL) return;
    for (size_t i = 0; i < bucket_count; i++) {
        for (struct ticket *each = buckets[i], *next; each != NULL; each = next) {
            next = each->next;
            put_into(bucket_of(more, count, each->number), each);
        }
    }
    if (buckets != first_buckets) free(buckets);
    buckets = more;
    bucket_count = count;
}

/* Deposits a block; its ticket's number, or 0 without memory for one. */
EXPORT double offheap_ticket_put(double source, double secret, double block, double size,
                                 double alignment, double release, double depositor) {
    struct ticket *ticket = malloc(sizeof *ticket);
    if (ticket == NULL) return 0;
    ticket->source = to_source(source);
    ticket->secret = secret;
    ticket->block = block;
    ticket->size = size;
    ticket->alignment = alignment;
    ticket->release = release;
    ticket->depositor = depositor;
    lock(&waiting_lock);
    if (waiting >= bucket_count) add_buckets();
    waiting++;
    int64_t number = ticket->number = ++last;
    put_into(bucket_of(buckets, bucket_count, number), ticket);
    unlock(&waiting_lock);
    return (double)number;
}

static struct ticket **find(int64_t number) {
    struct ticket **link = bucket_of(buckets, bucket_count, number);
    while (*link != NULL && (*link)->number != number) link = &(*link)->next;
    return link;
}

/* How a claim ends; lib/memory/blocks/transfer.ts has the same numbers. */
enum { TAKEN = 0, UNKNOWN = 1, OTHER_ALLOCATOR = 2, CLAIMED_BEFORE = 3, OTHER_SIZE = 4 };

static int judge(const struct ticket *found, double source, int64_t number, double secret, double size) {
    if (found == NULL) return number >= 1 && number <= last ? CLAIMED_BEFORE : UNKNOWN;
    if (found->secret != secret) return UNKNOWN;
    if (found->source != to_source(source)) return OTHER_ALLOCATOR;
    return found->size == size ? TAKEN : OTHER_SIZE;
}

/*
 * A block that waits: its address, size, alignment and free function. `take` takes it out; a claim
 * that is refused leaves it.
 */
EXPORT int offheap_ticket_take(double source, double number, double secret, double size, double take,
                               double *out) {
    /* No ticket has the number 0. */
    int64_t asked = number >= 1 && number < 0x1p53 ? (int64_t)number : 0;
    if ((double)asked != number) asked = 0;
    lock(&waiting_lock);
    struct ticket **link = find(asked);
    struct ticket *found = *link;
    int status = judge(found, source, asked, secret, size);
    if (status == TAKEN) {
        out[0] = found->block;
        out[1] = found->size;
        out[2] = found->alignment;
        out[3] = found->release;
        if (take != 0) {
            *link = found->next;
            waiting--;
        }
    }
    unlock(&waiting_lock);
    if (status == TAKEN && take != 0) free(found);
    return status;
}

/* Whether a block that waits to be claimed is at an address. */
EXPORT int offheap_ticket_at(double address) {
    int held = 0;
    lock(&waiting_lock);
    EACH_WAITING(each) {
        if (address >= each->block && address < each->block + each->size) held = 1;
    }
    unlock(&waiting_lock);
    return held;
}

/* How many blocks of an allocator wait to be claimed. */
EXPORT double offheap_ticket_count(double source) {
    double count = 0;
    lock(&waiting_lock);
    EACH_WAITING(each) {
        if (each->source == to_source(source)) count++;
    }
    unlock(&waiting_lock);
    return count;
}

/*
 * The sizes of an allocator's blocks that wait to be claimed, and that an account has deposited or
 * nobody who is still there: up to `capacity` of them. How many there are.
 */
EXPORT double offheap_ticket_sizes(double source, double depositor, double *sizes, double capacity) {
    size_t count = 0, most = to_length(capacity);
    lock(&waiting_lock);
    EACH_WAITING(each) {
        if (each->source != to_source(source)) continue;
        if (each->depositor != depositor && each->depositor != 0) continue;
        if (count < most) sizes[count] = each->size;
        count++;
    }
    unlock(&waiting_lock);
    return (double)count;
}

void forget_depositor(double account) {
    lock(&waiting_lock);
    EACH_WAITING(each) {
        if (each->depositor == account) each->depositor = 0;
    }
    unlock(&waiting_lock);
}
