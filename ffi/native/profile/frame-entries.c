/*
 * Reading an entry of unwind information: which function it is for, and where its instructions are. "Linux
 * Standard Base Core, Exception Frames" has the formats.
 */
#define _GNU_SOURCE
#include "unwind.h"

#ifdef HAS_UNWINDER

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
    RELATION_BITS = 0x70,
};

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

uint64_t read_fixed(const uint8_t **at, size_t size) {
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
    case SIGNED_8: *value = read_fixed(at, 8); return 1;
    case UNSIGNED_LEB: *value = read_unsigned_leb(at); return 1;
    case SIGNED_LEB: *value = (uint64_t)read_signed_leb(at); return 1;
    case UNSIGNED_2: *value = read_fixed(at, 2); return 1;
    case UNSIGNED_4: *value = read_fixed(at, 4); return 1;
    case SIGNED_2: *value = (uint64_t)(int16_t)read_fixed(at, 2); return 1;
    case SIGNED_4: *value = (uint64_t)(int32_t)read_fixed(at, 4); return 1;
    default: return 0;
    }
}

/* Where an entry ends; `at` goes on after its length. */
static const uint8_t *read_length(const uint8_t **at) {
    uint64_t length = read_fixed(at, 4);
    if (length == UINT32_MAX) length = read_fixed(at, 8);
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

int read_rules(const uint8_t *at, uintptr_t pc, struct function_rules *rules) {
    if (at == NULL) return 0;
    rules->own_end = read_length(&at);
    const uint8_t *common = at;
    uint64_t distance = read_fixed(&at, 4), start, size;
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

#else
typedef int frame_entries_are_for_glibc;
#endif
