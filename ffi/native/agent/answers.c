/*
 * What the agent answers: one line of JSON for each question. lib/watch/agent/client.ts reads it.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The version of what is asked and answered. */
#define PROTOCOL 1

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t left = sizeof text->bytes - text->length;
    int length = vsnprintf(text->bytes + text->length, left, format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < left) text->length += (size_t)length;
}

static void add_string(struct text *text, const char *value) {
    add(text, "\"");
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte == '"' || byte == '\\') add(text, "\\%c", byte);
        else if (byte < 0x20) add(text, "\\u%04x", byte);
        else add(text, "%c", byte);
    }
    add(text, "\"");
}

static void add_name(struct text *text, const char *name) {
    if (text->bytes[text->length - 1] != '{') add(text, ",");
    add(text, "\"%s\":", name);
}

/* A text, or null. */
static void add_text(struct text *text, const char *name, const char *value) {
    add_name(text, name);
    if (value != NULL) add_string(text, value);
    else add(text, "null");
}

static void add_number(struct text *text, const char *name, uint64_t value) {
    add_name(text, name);
    add(text, "%llu", (unsigned long long)value);
}

/* In whole numbers: what prints a double may allocate. */
static void add_milliseconds(struct text *text, const char *name, uint64_t nanoseconds) {
    add_name(text, name);
    add(text, "%llu.%03llu", (unsigned long long)(nanoseconds / MS),
        (unsigned long long)(nanoseconds % MS / 1000));
}

static void add_hello(struct text *text) {
    char version[32] = "";
    const struct giver *giver = agent_giver();
    if (giver->version != NULL) giver->version(version, sizeof version);
    uint64_t limit = user_limit();
    add_number(text, "pid", (uint64_t)getpid());
    add_text(text, "allocator", giver->name);
    add_text(text, "version", version[0] != '\0' ? version : NULL);
    add_number(text, "idleMilliseconds", (uint64_t)agent_state.idle_ms);
    if (limit != 0) add_number(text, "limit", limit);
    else add_text(text, "limit", NULL);
    add_text(text, "stopped", why_stopped());
}

static void answer_hello(struct text *text, const char *argument) {
    (void)text, (void)argument;
}

static void answer_stats(struct text *text, const char *argument) {
    struct figures figures;
    (void)argument;
    count_memory(&figures);
    add_number(text, "resident", resident_bytes());
    add(text, ",\"counted\":{");
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        if (figures.absent[i] == NULL) add_number(text, FIGURE_NAMES[i], figures.counted[i]);
    }
    add(text, "},\"absent\":{");
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        if (figures.absent[i] != NULL) add_text(text, FIGURE_NAMES[i], figures.absent[i]);
    }
    add(text, "}");
    add_number(text, "purges", agent_state.purges);
    add_number(text, "returned", agent_state.returned);
    add_milliseconds(text, "lastPurgeMilliseconds", agent_state.last_ns);
    add_name(text, "pressed");
    add(text, "%s", agent_state.pressed ? "true" : "false");
    add_number(text, "pressures", agent_state.pressures);
}

static void answer_purge(struct text *text, const char *argument) {
    (void)argument;
    uint64_t before = resident_bytes(), start = now_ns();
    const char *why = agent_purge();
    uint64_t end = now_ns();
    add_number(text, "residentBefore", before);
    add_number(text, "residentAfter", resident_bytes());
    add_milliseconds(text, "milliseconds", end - start);
    add_text(text, "refused", why);
}

static void answer_decay(struct text *text, const char *argument) {
    char *end;
    long milliseconds = strtol(argument, &end, 10);
    int read = end != argument && *end == '\0';
    add_text(text, "refused",
             read ? agent_decay(milliseconds) : "decay needs a number of milliseconds, as in \"decay 500\"");
}

/* ---- Heap profiles ---- */

/* What is asked of the samples; "profile" alone only says how things are. */
static const char *act_on_samples(const struct sampling *sampling, const char *argument) {
    if (strcmp(argument, "start") == 0) return sampling->set_active(1);
    if (strcmp(argument, "stop") == 0) return sampling->set_active(0);
    if (strcmp(argument, "reset") == 0) return sampling->forget();
    if (*argument == '\0') return NULL;
    return "profile takes start, stop, reset and dump";
}

static void answer_profile(struct text *text, const char *argument) {
    const struct sampling *sampling = agent_giver()->sampling;
    char path[160] = "";
    const char *why = "the allocator that serves malloc here is not sampled: run the program with jemalloc";
    int prepared = 0, active = 0, dumps = strcmp(argument, "dump") == 0;
    uint64_t interval = 0;
    if (sampling != NULL) {
        prepared = sampling->read(&active, &interval);
        if (!prepared) why = sampling->not_prepared;
        else if (dumps) why = dump_samples(sampling, path, sizeof path);
        else why = act_on_samples(sampling, argument);
        if (prepared) (void)sampling->read(&active, &interval);
    }
    add(text, ",\"profile\":{\"prepared\":%s,\"active\":%s", prepared ? "true" : "false", active ? "true" : "false");
    if (prepared) add_number(text, "interval", interval);
    else add_text(text, "interval", NULL);
    add_text(text, "refused", why);
    add(text, "}");
    if (!dumps) return;
    add_text(text, "dump", why == NULL ? path : NULL);
    add_text(text, "refused", why);
}

static const struct {
    const char *word;
    void (*answer)(struct text *text, const char *argument);
} QUESTIONS[] = {
    {"hello", answer_hello},
    {"stats", answer_stats},
    {"purge", answer_purge},
    {"decay", answer_decay},
    {"profile", answer_profile},
};

static void begin(struct text *text) {
    text->length = 0;
    add(text, "{\"offheap\":%d", PROTOCOL);
}

void answer_refusal(struct text *text, const char *why) {
    begin(text);
    add_text(text, "error", why);
    add(text, "}\n");
}

void answer_line(struct text *text, char *line) {
    char *argument = strchr(line, ' ');
    if (argument != NULL) *argument++ = '\0';
    for (size_t i = 0; i < COUNT_OF(QUESTIONS); i++) {
        if (strcmp(QUESTIONS[i].word, line) != 0) continue;
        begin(text);
        hold_fork();
        add_hello(text);
        if (is_ending()) add_text(text, "error", "the program ends");
        else QUESTIONS[i].answer(text, argument != NULL ? argument : "");
        let_fork();
        add(text, "}\n");
        return;
    }
    answer_refusal(text, "unknown question; there are hello, stats, purge, decay and profile");
}

#else
typedef int answers_are_for_linux;
#endif
