/*
 * Finding the unwind information of a function: the object that an address is in, its sorted table
 * (.eh_frame_hdr), and the entry's header. "Linux Standard Base Core, Exception Frames" has the formats.
 */
#define _GNU_SOURCE
#include "unwind.h"

#ifdef HAS_UNWINDER

#include <dlfcn.h>
#include <link.h>
#include <string.h>

/* How pointers are encoded: the low half is the type, the high half what the value is relative to. */
enum {
    ABSOLUTE = 0x00,
    UNSIGNED_LEB = 0x01,
    UNSIGNED_2 = 0x02,
    UNSIGNED_4 = 0x03,
    UNSIGNED_8 = 0x04,
    SIGNED_LEB = 0x09,
    SIGNED_2 = 0x0a,
    SIGNED_4 = 0x0b,
    SIGNED_8 = 0x0c,
    TYPE_BITS = 0x0f,
    RELATIVE_TO_ITSELF = 0x10,
    RELATIVE_TO_TABLE = 0x30,
    RELATION_BITS = 0x70,
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

/* ---- Reading entries ---- */

uint64_t read_unsigned_leb(const uint8_t **at) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return value;
    }
}

int64_t read_signed_leb(const uint8_t **at) {
    uint64_t value = 0;
    for (unsigned shift = 0;;) {
        uint8_t byte = *(*at)++;
        if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if ((byte & 0x80) != 0) continue;
        if (shift < 64 && (byte & 0x40) != 0) value |= ~UINT64_C(0) << shift;
        return (int64_t)value;
    }
}

static uint64_t read_number(const uint8_t **at, size_t size) {
    uint64_t value = 0;
    memcpy(&value, *at, size);
    *at += size;
    return value;
}

/* A pointer without what it is relative to; 0 for an encoding that is not known. */
static int read_encoded(const uint8_t **at, uint8_t encoding, uint64_t *value) {
    switch (encoding & TYPE_BITS) {
    case ABSOLUTE:
    case UNSIGNED_8:
    case SIGNED_8: *value = read_number(at, 8); return 1;
    case UNSIGNED_LEB: *value = read_unsigned_leb(at); return 1;
    case SIGNED_LEB: *value = (uint64_t)read_signed_leb(at); return 1;
    case UNSIGNED_2: *value = read_number(at, 2); return 1;
    case UNSIGNED_4: *value = read_number(at, 4); return 1;
    case SIGNED_2: *value = (uint64_t)(int16_t)read_number(at, 2); return 1;
    case SIGNED_4: *value = (uint64_t)(int32_t)read_number(at, 4); return 1;
    default: return 0;
    }
}

/* Where an entry begins and ends, behind its length. */
static const uint8_t *read_length(const uint8_t **at) {
    uint64_t length = read_number(at, 4);
    if (length == UINT32_MAX) length = read_number(at, 8);
    return *at + length;
}

/* What functions have in common (a CIE). How their addresses are encoded, or -1 when it is not known. */
static int read_common(const uint8_t *at, struct function_rules *rules) {
    const uint8_t *end = read_length(&at);
    uint64_t pointer;
    int encoding = ABSOLUTE;
    at += 4; /* what says that it is one */
    uint8_t version = *at++;
    const char *letters = (const char *)at;
    at += strlen(letters) + 1;
    if (version != 1 && version != 3) return -1;
    rules->code_step = read_unsigned_leb(&at);
    rules->data_step = read_signed_leb(&at);
    rules->return_column = version == 1 ? *at++ : read_unsigned_leb(&at);
    rules->is_signal = 0;
    rules->has_data = *letters == 'z';
    rules->common_end = end;
    if (!rules->has_data) {
        rules->common = at;
        return *letters == '\0' ? encoding : -1;
    }
    uint64_t length = read_unsigned_leb(&at);
    rules->common = at + length;
    while (*++letters != '\0') {
        if (*letters == 'R') encoding = *at++;
        else if (*letters == 'L') at++;
        else if (*letters == 'S') rules->is_signal = 1;
        else if (*letters == 'P') {
            uint8_t how = *at++;
            if (!read_encoded(&at, how, &pointer)) return -1;
        } else if (*letters != 'B') return -1;
    }
    return encoding;
}

/* Reads an entry; 0 where it is not for the address. */
static int read_rules(const uint8_t *at, uintptr_t pc, struct function_rules *rules) {
    if (at == NULL) return 0;
    rules->own_end = read_length(&at);
    const uint8_t *common = at;
    uint64_t distance = read_number(&at, 4), start, size;
    if (distance == 0) return 0;
    int encoding = read_common(common - distance, rules);
    if (encoding < 0) return 0;
    const uint8_t *place = at;
    if (!read_encoded(&at, (uint8_t)encoding, &start)) return 0;
    if ((encoding & RELATION_BITS) == RELATIVE_TO_ITSELF) start += (uintptr_t)place;
    else if ((encoding & RELATION_BITS) != ABSOLUTE) return 0;
    if (!read_encoded(&at, (uint8_t)(encoding & TYPE_BITS), &size)) return 0;
    rules->start = (uintptr_t)start;
    if (pc - rules->start >= size) return 0;
    if (rules->has_data) {
        uint64_t length = read_unsigned_leb(&at);
        at += length;
    }
    rules->own = at;
    return 1;
}

int find_rules(uintptr_t pc, struct function_rules *rules) {
    struct object object;
    if (!find_object_of(pc, &object) || object.table == NULL) return 0;
    return read_rules(find_kept_entry(&object, pc), pc, rules) || read_rules(find_entry(object.table, pc), pc, rules);
}

#else
typedef int frame_tables_are_for_glibc;
#endif
