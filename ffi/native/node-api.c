/*
 * What Node 22 and 24 have of this library as an addon, by Node-API.
 *
 * Buffers over native memory: koffi has them, too, but ends the whole process when a worker is
 * terminated while one is made: what Node refuses then, koffi throws into a thread that takes no
 * exception. Here it is no buffer, and no harm.
 *
 * Calls for `offheap run`: loading koffi would take longer than all the rest of a launch.
 *
 * The functions are looked up in the program, as other runtimes and programs do not have them.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "memory.h"

EXPORT int offheap_exec(const char *path, char *const argv[], char *const envp[],
                        const double *checked);

typedef struct opaque_env *napi_env;
typedef struct opaque_value *napi_value;
typedef struct opaque_info *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env env, napi_callback_info info);
typedef void (*napi_finalize)(napi_env env, void *data, void *hint);

/* Node-API 1, from Node's js_native_api.h; each answers 0 when it has done its work. */
static struct {
    int (*get_cb_info)(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
    int (*get_value_double)(napi_env, napi_value, double *);
    int (*create_external_arraybuffer)(napi_env, void *, size_t, napi_finalize, void *, napi_value *);
    int (*create_function)(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
    int (*set_named_property)(napi_env, napi_value, const char *, napi_value);
    int (*get_value_int64)(napi_env, napi_value, int64_t *);
    int (*get_value_bigint_int64)(napi_env, napi_value, int64_t *, bool *);
    int (*get_value_string_utf8)(napi_env, napi_value, char *, size_t, size_t *);
    int (*get_typedarray_info)(napi_env, napi_value, int *, size_t *, void **, napi_value *, size_t *);
    int (*create_bigint_int64)(napi_env, int64_t, napi_value *);
} node;

static const struct {
    void *slot;
    const char *name;
} NAMES[] = {
    {&node.get_cb_info, "napi_get_cb_info"},
    {&node.get_value_double, "napi_get_value_double"},
    {&node.create_external_arraybuffer, "napi_create_external_arraybuffer"},
    {&node.create_function, "napi_create_function"},
    {&node.set_named_property, "napi_set_named_property"},
    {&node.get_value_int64, "napi_get_value_int64"},
    {&node.get_value_bigint_int64, "napi_get_value_bigint_int64"},
    {&node.get_value_string_utf8, "napi_get_value_string_utf8"},
    {&node.get_typedarray_info, "napi_get_typedarray_info"},
    {&node.create_bigint_int64, "napi_create_bigint_int64"},
};

/* The memory is not the buffer's. */
static void leave(napi_env env, void *data, void *hint) {
    (void)env, (void)data, (void)hint;
}

/* wrap(address, length): a buffer, or undefined when Node makes none. */
static napi_value wrap(napi_env env, napi_callback_info info) {
    napi_value arguments[2], buffer = NULL;
    size_t count = 2;
    double address, length;
    if (node.get_cb_info(env, info, &count, arguments, NULL, NULL) != 0 || count != 2) return NULL;
    if (node.get_value_double(env, arguments[0], &address) != 0) return NULL;
    if (node.get_value_double(env, arguments[1], &length) != 0) return NULL;
    /* Node would end the process for what is no length. */
    if (!(length > 0 && length < 0x1p53)) return NULL;
    void *bytes = to_pointer(address);
    int status = node.create_external_arraybuffer(env, bytes, to_size(length), leave, NULL, &buffer);
    return status == 0 ? buffer : NULL;
}

enum { MAX_ARGUMENTS = 6 };

/* As C passes it in a register: a whole number, or the address of a typed array's first byte. */
static bool to_register(napi_env env, napi_value value, int64_t *word) {
    bool lossless;
    void *bytes;
    if (node.get_value_int64(env, value, word) == 0) return true;
    if (node.get_value_bigint_int64(env, value, word, &lossless) == 0) return lossless;
    if (node.get_typedarray_info(env, value, NULL, NULL, &bytes, NULL, NULL) != 0) return false;
    *word = (int64_t)(intptr_t)bytes;
    return true;
}

/* address(view): that of a typed array's first byte. */
static napi_value address(napi_env env, napi_callback_info info) {
    napi_value view, answer = NULL;
    size_t count = 1;
    int64_t word;
    if (node.get_cb_info(env, info, &count, &view, NULL, NULL) != 0 || count != 1) return NULL;
    if (!to_register(env, view, &word)) return NULL;
    return node.create_bigint_int64(env, word, &answer) == 0 ? answer : NULL;
}

/*
 * call(name, arguments...): calls a function of this library or of the program that takes whole
 * numbers and pointers, and answers one: the processors that we build for pass up to six of them in
 * registers, whatever their types. The answer is a bigint of 64 bits, of which an int has the lower
 * 32; undefined when there is no such function, or an argument is of another type.
 */
static napi_value call(napi_env env, napi_callback_info info) {
    napi_value arguments[1 + MAX_ARGUMENTS], answer = NULL;
    size_t count = 1 + MAX_ARGUMENTS, length;
    int64_t words[MAX_ARGUMENTS] = {0};
    char name[64];
    if (node.get_cb_info(env, info, &count, arguments, NULL, NULL) != 0) return NULL;
    if (count == 0 || count > 1 + MAX_ARGUMENTS) return NULL;
    if (node.get_value_string_utf8(env, arguments[0], name, sizeof name, &length) != 0) return NULL;
    for (size_t i = 1; i < count; i++) {
        if (!to_register(env, arguments[i], &words[i - 1])) return NULL;
    }
    void *symbol = strcmp(name, "offheap_exec") == 0 ? (void *)offheap_exec : find_in_program(name);
    if (symbol == NULL) return NULL;
    int64_t (*function)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t);
    memcpy(&function, &symbol, sizeof function);
    int64_t result = function(words[0], words[1], words[2], words[3], words[4], words[5]);
    return node.create_bigint_int64(env, result, &answer) == 0 ? answer : NULL;
}

static const struct {
    const char *name;
    napi_callback function;
} FUNCTIONS[] = {{"wrap", wrap}, {"address", address}, {"call", call}};

/* What process.dlopen() calls, in each thread. */
EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        void *symbol = find_in_program(NAMES[i].name);
        if (symbol == NULL) return exports;
        memcpy(NAMES[i].slot, &symbol, sizeof symbol);
    }
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof FUNCTIONS[0]; i++) {
        const char *name = FUNCTIONS[i].name;
        napi_value function;
        if (node.create_function(env, name, strlen(name), FUNCTIONS[i].function, NULL, &function) == 0) {
            node.set_named_property(env, exports, name, function);
        }
    }
    return exports;
}
