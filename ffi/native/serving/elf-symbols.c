/*
 * See elf-symbols.h.
 */
#define _GNU_SOURCE
#include "elf-symbols.h"

#ifdef __ELF__

#include <link.h>
#include <string.h>

struct symbol_tables {
    const ElfW(Sym) *symbols;
    const char *strings;
    const uint32_t *gnu_hash;
    const uint32_t *hash;
};

/* What a search looks for, and what it found. */
struct symbol_search {
    const char *name;
    uint32_t gnu_hash;
    uint32_t hash;
    /* Only this object when not NULL. */
    const struct definition *within;
    /* The last object that is searched; all when NULL. */
    const struct definition *last;
    struct definition found;
};

static uint32_t gnu_hash_of(const char *name) {
    uint32_t hash = 5381;
    for (const unsigned char *c = (const unsigned char *)name; *c != 0; c++) hash = hash * 33 + *c;
    return hash;
}

static uint32_t hash_of(const char *name) {
    uint32_t hash = 0;
    for (const unsigned char *c = (const unsigned char *)name; *c != 0; c++) {
        hash = (hash << 4) + *c;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    return hash;
}

/* glibc has made addresses of these values; musl, and whoever made the vDSO, has not. */
static const void *table_at(uintptr_t base, uintptr_t value) {
    return (const void *)(value < base ? base + value : value);
}

static struct symbol_tables tables_of(uintptr_t base, const ElfW(Dyn) *entry) {
    struct symbol_tables tables = {NULL, NULL, NULL, NULL};
    for (; entry->d_tag != DT_NULL; entry++) {
        const void *at = table_at(base, entry->d_un.d_ptr);
        if (entry->d_tag == DT_SYMTAB) tables.symbols = at;
        if (entry->d_tag == DT_STRTAB) tables.strings = at;
        if (entry->d_tag == DT_GNU_HASH) tables.gnu_hash = at;
        if (entry->d_tag == DT_HASH) tables.hash = at;
    }
    return tables;
}

static int is_definition(const struct symbol_tables *tables, uint32_t index, const char *name) {
    const ElfW(Sym) *symbol = &tables->symbols[index];
    return symbol->st_shndx != SHN_UNDEF && strcmp(tables->strings + symbol->st_name, name) == 0;
}

/* The index of a definition by the GNU hash table; 0 when there is none. */
static uint32_t find_by_gnu_hash(const struct symbol_tables *tables, const struct symbol_search *search) {
    const uint32_t *head = tables->gnu_hash;
    uint32_t bucket_count = head[0], first = head[1], filter_count = head[2], shift = head[3];
    const ElfW(Addr) *filter = (const ElfW(Addr) *)&head[4];
    const uint32_t *buckets = (const uint32_t *)&filter[filter_count];
    const uint32_t *chains = &buckets[bucket_count];
    const uint32_t bits = 8 * sizeof *filter, hash = search->gnu_hash;
    ElfW(Addr) word = filter[hash / bits % filter_count];
    if (!(word >> hash % bits & word >> (hash >> shift) % bits & 1)) return 0;
    uint32_t index = buckets[hash % bucket_count];
    if (index < first) return 0;
    for (;; index++) {
        uint32_t entry = chains[index - first];
        if ((entry | 1) == (hash | 1) && is_definition(tables, index, search->name)) return index;
        if (entry & 1) return 0;
    }
}

/* The same by the older table. */
static uint32_t find_by_hash(const struct symbol_tables *tables, const struct symbol_search *search) {
    const uint32_t *buckets = &tables->hash[2], *chains = &buckets[tables->hash[0]];
    uint32_t index = buckets[search->hash % tables->hash[0]];
    while (index != 0 && !is_definition(tables, index, search->name)) index = chains[index];
    return index;
}

static int search_object(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    struct symbol_search *search = data;
    uintptr_t base = info->dlpi_addr;
    if (search->within != NULL && search->within->base != base) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        const ElfW(Dyn) *dynamic = (const ElfW(Dyn) *)(base + info->dlpi_phdr[i].p_vaddr);
        struct symbol_tables tables = tables_of(base, dynamic);
        if (tables.symbols == NULL || tables.strings == NULL) return 0;
        uint32_t index = tables.gnu_hash != NULL && tables.gnu_hash[0] != 0
                             ? find_by_gnu_hash(&tables, search)
                         : tables.hash != NULL && tables.hash[0] != 0 ? find_by_hash(&tables, search)
                                                                      : 0;
        if (index == 0) return 0;
        search->found.object = info->dlpi_name;
        search->found.base = base;
        search->found.address = (void *)(base + tables.symbols[index].st_value);
        return 1;
    }
    return 0;
}

enum { FOUND = 1, NOT_FOUND };

static int search_in_order(struct dl_phdr_info *info, size_t size, void *data) {
    const struct symbol_search *search = data;
    if (search_object(info, size, data)) return FOUND;
    return search->last != NULL && search->last->base == info->dlpi_addr ? NOT_FOUND : 0;
}

static int find_symbol(const char *name, const struct definition *within, const struct definition *last,
                       struct definition *found) {
    struct symbol_search search = {name, gnu_hash_of(name), hash_of(name), within, last, {NULL, 0, NULL}};
    if (dl_iterate_phdr(search_in_order, &search) != FOUND) return 0;
    *found = search.found;
    return 1;
}

int find_definition(const char *name, struct definition *found) {
    return find_symbol(name, NULL, NULL, found);
}

int find_definition_in(const struct definition *object, const char *name, struct definition *found) {
    return find_symbol(name, object, NULL, found);
}

int find_definition_up_to(const struct definition *last, const char *name, struct definition *found) {
    return find_symbol(name, NULL, last, found);
}

#endif
