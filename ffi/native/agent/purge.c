/*
 * When the agent gives memory back: when the program rests, and when memory is short.
 */
#define _GNU_SOURCE
#include "parts.h"

#ifdef __linux__

#include <time.h>

/* A program that takes less than this part of one processor rests: its timers and ours. */
#define REST_SHARE 0.05
/* A pause after this long in the allocator, in which a fork may happen. */
#define STEP_MS 20
/* Purges in a row that bring less than a hundredth, after which it stops until the program has grown. */
#define FRUITLESS 3
/* Thousandths of a limit at which memory is short, and at which it no longer is. */
#define SHORT_FROM 900
#define SHORT_UNTIL 850
/* At least this long between two purges for shortness; doubled while they bring nothing. */
#define HOLD_OFF_MS 2000
#define LONGEST_HOLD_OFF_MS 64000

/* How often it looks: while the program works, while it works near a limit, and while it rests. */
#define LOOK_MS 250
#define NEAR_LOOK_MS 50
#define NEAR_FROM 750
#define REST_LOOK_MS 2000
/* At rest with more than half of a limit used; below that, the limits are looked at now and then. */
#define HALF_LOOK_MS 1000
#define HALF_FROM 500
#define LIMITS_EVERY 4
/* Without a rest after which memory is given back, this is one. */
#define USUAL_REST_MS 1000

static uint64_t step_start;
/* When memory was last given back, for whatever reason; 0 for never. */
static uint64_t purged_at;

/* Between two steps of a purge. */
static int next_step(void) {
    if (is_ending()) return 0;
    if (now_ns() - step_start < STEP_MS * MS) return 1;
    let_fork();
    nanosleep(&(struct timespec){.tv_nsec = STEP_MS * (long)MS}, NULL);
    hold_fork();
    step_start = now_ns();
    return !is_ending();
}

/* Whether what is left is more than ninety-nine hundredths of what there was. */
static int brought_nothing(uint64_t before, uint64_t after) {
    return after > before - before / 100;
}

const char *agent_purge(void) {
    uint64_t before = resident_bytes(), start = now_ns();
    step_start = start;
    const char *why = give_back(next_step);
    if (why != NULL) return why;
    uint64_t after = resident_bytes();
    agent_state.purges++;
    agent_state.returned += before > after ? before - after : 0;
    purged_at = now_ns();
    agent_state.last_ns = purged_at - start;
    return NULL;
}

/* ---- Rest ---- */

static struct {
    uint64_t looked, processor;
    /* Since when the program does little, and whether it has for long enough and was purged for it. */
    uint64_t since;
    int rests;
    int fruitless;
    /* Resident memory when it began to rest, after the purge. */
    uint64_t left;
} rest;

static const char NOTHING_COMES_BACK[] = "the last purges gave back less than a hundredth";

/* The agent's own work is not the program's. */
static void forget_own_work(void) {
    rest.processor = processor_ns();
    rest.looked = now_ns();
}

/* By a tenth; while memory is short, a tenth is all that is left. */
static int has_grown(uint64_t resident) {
    return resident > rest.left + (agent_state.pressed ? 0 : rest.left / 10) + MIB;
}

static void purge_at_rest(uint64_t before) {
    hold_fork();
    const char *why = is_ending() ? NULL : agent_purge();
    let_fork();
    rest.left = resident_bytes();
    rest.fruitless = brought_nothing(before, rest.left) ? rest.fruitless + 1 : 0;
    if (why != NULL) stop_for(why);
    else if (rest.fruitless >= FRUITLESS) stop_for(NOTHING_COMES_BACK);
    forget_own_work();
}

static void begin_rest(void) {
    uint64_t resident = resident_bytes();
    if (why_stopped() == NOTHING_COMES_BACK && has_grown(resident)) {
        stop_for(NULL);
        rest.fruitless = 0;
    }
    rest.rests = 1;
    /* It was given back since the program worked, as memory was short or somebody asked. */
    int is_done = purged_at > rest.since;
    if (why_stopped() == NULL && agent_state.idle_ms != 0 && !is_done) purge_at_rest(resident);
    else if (why_stopped() != NOTHING_COMES_BACK) rest.left = resident;
}

static void look_at_rest(uint64_t now) {
    uint64_t processor = processor_ns();
    double share = (double)(processor - rest.processor) / (double)(now - rest.looked + 1);
    rest.processor = processor;
    rest.looked = now;
    /*
     * A short burst within a long look shows by the memory that it left. What grows near a limit has to
     * be looked at often, however little it computes.
     */
    if (share > REST_SHARE || (rest.rests && has_grown(resident_bytes()))) {
        rest.since = now;
        rest.rests = 0;
    }
    long wanted = agent_state.idle_ms != 0 ? agent_state.idle_ms : USUAL_REST_MS;
    if (!rest.rests && now - rest.since >= (uint64_t)wanted * MS) begin_rest();
}

/* ---- Shortness ---- */

static struct {
    uint64_t purged_at;
    uint64_t hold_off_ms;
    /* What is used of the tightest limit, in thousandths. */
    int used;
    /* The decay to have again afterwards, where it could be read. */
    long decay;
    int has_decay;
} shortness = {.hold_off_ms = HOLD_OFF_MS, .used = -1};

const char *agent_decay(long milliseconds) {
    const struct giver *giver = agent_giver();
    if (giver->set_decay == NULL) return giver->no_decay;
    if (agent_state.pressed && shortness.has_decay) {
        shortness.decay = milliseconds;
        return NULL;
    }
    return giver->set_decay(milliseconds) ? NULL : giver->no_decay;
}

/* Unused pages go at once while memory is short, and are kept as before afterwards. */
static void change_decay(int pressed) {
    const struct giver *giver = agent_giver();
    if (giver->set_decay == NULL) return;
    if (pressed) {
        shortness.has_decay = giver->read_decay(&shortness.decay) && giver->set_decay(0);
    } else if (shortness.has_decay) {
        (void)giver->set_decay(shortness.decay);
        shortness.has_decay = 0;
    }
}

static void purge_for_shortness(void) {
    uint64_t before = resident_bytes();
    (void)agent_purge();
    uint64_t hold_off = shortness.hold_off_ms * 2;
    if (!brought_nothing(before, resident_bytes())) hold_off = HOLD_OFF_MS;
    shortness.hold_off_ms = hold_off < LONGEST_HOLD_OFF_MS ? hold_off : LONGEST_HOLD_OFF_MS;
    shortness.purged_at = now_ns();
}

void look_at_shortness(int certain) {
    shortness.used = used_of_limit();
    int pressed = shortness.used >= (agent_state.pressed ? SHORT_UNTIL : SHORT_FROM);
    int changed = pressed != agent_state.pressed;
    uint64_t since = now_ns() - shortness.purged_at;
    int allowed = shortness.purged_at == 0 || since >= shortness.hold_off_ms * MS;
    if (!changed && !(allowed && (pressed || certain))) return;
    hold_fork();
    if (!is_ending()) {
        if (allowed && (pressed || certain)) purge_for_shortness();
        agent_state.pressures += changed && pressed;
        agent_state.pressed = pressed;
        if (changed) change_decay(pressed);
    }
    let_fork();
    forget_own_work();
}

/* ---- Looking ---- */

static uint64_t due;
static unsigned looks;

static long pause_ms(void) {
    if (rest.rests) return shortness.used >= HALF_FROM ? HALF_LOOK_MS : REST_LOOK_MS;
    return shortness.used >= NEAR_FROM ? NEAR_LOOK_MS : LOOK_MS;
}

static void plan_next(void) {
    due = now_ns() + (uint64_t)pause_ms() * MS;
}

uint64_t next_look(void) {
    return due;
}

void begin_looking(void) {
    shortness.used = used_of_limit();
    forget_own_work();
    rest.since = rest.looked;
    plan_next();
}

void look(void) {
    look_at_rest(now_ns());
    int seldom = rest.rests && shortness.used < HALF_FROM;
    if (!seldom || looks++ % LIMITS_EVERY == 0) look_at_shortness(0);
    if (!rest.rests && agent_giver()->tick != NULL) {
        hold_fork();
        if (!is_ending()) agent_giver()->tick();
        let_fork();
    }
    plan_next();
}

#else
typedef int purge_is_for_linux;
#endif
