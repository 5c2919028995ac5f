/*
 * Finding the unwind information of a function: the object that an address is in, and its sorted table
 * (.eh_frame_hdr). "Linux Standard Base Core, Exception Frames" has the formats.
 */
#define _GNU_SOURCE
#include "unwind.h"

#ifdef HAS_UNWINDER

#include <dlfcn.h>
#include <link.h>
#include <string.h>

/* How the numbers in a table are encoded. */
enum {
    UNSIGNED_4 = 0x03,
    SIGNED_4 = 0x0b,
    RELATIVE_TO_ITSELF = 0x10,
    RELATIVE_TO_TABLE = 0x30,
};

/* The only table that linkers write: sorted pairs of 4 bytes each, relative to the table. */
static const uint8_t TABLE_HEAD[] = {1, RELATIVE_TO_ITSELF | SIGNED_4, UNSIGNED_4, RELATIVE_TO_TABLE | SIGNED_4};

struct table_entry {
    int32_t function, information;
};

struct table {
    uint8_t head[sizeof TABLE_HEAD];
    int32_t frames;
    uint32_t count;
    struct table_entry entries[];
};

/* What _dl_find_object fills, since glibc 2.35: it takes no lock. */
struct found_object {
    unsigned long long flags;
    void *start, *end, *link_map, *table;
    unsigned long long reserved[7];
};

typedef int (*find_object_fn)(void *pc, struct found_object *found);
static find_object_fn find_object;

void find_object_finder(void) {
    *(void **)&find_object = dlsym(RTLD_DEFAULT, "_dl_find_object");
}

/* ---- The table of the object that an address is in ---- */

/* A loaded object: the table is NULL where it has none, as programs that never unwind. */
struct object {
    uintptr_t start, end;
    const struct table *table;
};

struct search {
    uintptr_t pc;
    struct object found;
};

static int look_at_object(struct dl_phdr_info *info, size_t size, void *data) {
    struct search *search = data;
    struct object object = {.start = UINTPTR_MAX};
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr, end = start + part->p_memsz;
        if (part->p_type == PT_GNU_EH_FRAME) object.table = (const void *)start;
        if (part->p_type != PT_LOAD) continue;
        if (start < object.start) object.start = start;
        if (end > object.end) object.end = end;
    }
    if (search->pc < object.start || search->pc >= object.end) return 0;
    search->found = object;
    return 1;
}

/* 0 where no object is there. */
static int find_object_of(uintptr_t pc, struct object *object) {
    if (find_object != NULL) {
        struct found_object found;
        if (find_object((void *)pc, &found) != 0) return 0;
        *object = (struct object){(uintptr_t)found.start, (uintptr_t)found.end, found.table};
        return 1;
    }
    struct search search = {.pc = pc};
    int is_found = dl_iterate_phdr(look_at_object, &search);
    *object = search.found;
    return is_found;
}

int is_in_object(uintptr_t pc) {
    struct object object;
    return find_object_of(pc, &object);
}

/* The entry of the last function that begins at the address or before it; NULL without one. */
static const uint8_t *find_entry(const struct table *table, uintptr_t pc) {
    if (table == NULL || memcmp(table->head, TABLE_HEAD, sizeof TABLE_HEAD) != 0) return NULL;
    uintptr_t base = (uintptr_t)table;
    uint32_t from = 0, to = table->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (base + (uintptr_t)(intptr_t)table->entries[middle].function <= pc) from = middle + 1;
        else to = middle;
    }
    return from == 0 ? NULL : (const uint8_t *)(base + (uintptr_t)(intptr_t)table->entries[from - 1].information);
}

/*
 * The entries that were found last, by address: programs allocate in the same places. Threads may write
 * at the same time: find_rules() looks whether an entry is for its address.
 */
enum { KEPT = 2048 };
static struct {
    uintptr_t pc;
    const uint8_t *entry;
} kept[KEPT];

static const uint8_t *find_kept_entry(const struct object *object, uintptr_t pc) {
    size_t at = (pc >> 2 ^ pc >> 13) % KEPT;
    if (__atomic_load_n(&kept[at].pc, __ATOMIC_RELAXED) == pc) {
        const uint8_t *entry = __atomic_load_n(&kept[at].entry, __ATOMIC_RELAXED);
        /* Another object may be there by now. */
        if ((uintptr_t)entry - object->start < object->end - object->start) return entry;
    }
    const uint8_t *entry = find_entry(object->table, pc);
    __atomic_store_n(&kept[at].entry, entry, __ATOMIC_RELAXED);
    __atomic_store_n(&kept[at].pc, pc, __ATOMIC_RELAXED);
    return entry;
}

int find_rules(uintptr_t pc, struct function_rules *rules) {
    struct object object;
    if (!find_object_of(pc, &object) || object.table == NULL) return 0;
    return read_rules(find_kept_entry(&object, pc), pc, rules) || read_rules(find_entry(object.table, pc), pc, rules);
}

#else
typedef int frame_tables_are_for_glibc;
#endif
