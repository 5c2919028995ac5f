/*
 * What belongs to the thread that made it, and ends with the thread, however that ends.
 */
#ifndef OFFHEAP_OWNED_H
#define OFFHEAP_OWNED_H

/* A part of what is owned. */
struct owned {
    struct owned *next;
    /* Called at the thread's end, by the thread. */
    void (*end)(struct owned *it);
};

/* Makes the calling thread the owner; 0, or else it is nobody's. */
int own(struct owned *it, void (*end)(struct owned *it));

/* Ends the ownership without ending what is owned. By the thread that owns it. */
void disown(struct owned *it);

#endif
