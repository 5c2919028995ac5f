/*
 * jemalloc's background thread, see background.c.
 */
#ifndef OFFHEAP_BACKGROUND_H
#define OFFHEAP_BACKGROUND_H

/* Decides whether this process gets the thread; before the program's own code runs. */
void prepare_background(void);

#endif
