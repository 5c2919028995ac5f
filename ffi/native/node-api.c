/*
 * Buffers over native memory for Node 22 and 24, as an addon by Node-API. koffi has them, too, but
 * ends the whole process when a worker is terminated while one is made: what Node refuses then,
 * koffi throws into a thread that takes no exception. Here it is no buffer, and no harm.
 *
 * The functions are looked up in the program, as other runtimes and programs do not have them.
 */
#define _GNU_SOURCE
#include <string.h>

#include "memory.h"

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

/* What process.dlopen() calls, in each thread. */
EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        void *symbol = find_in_program(NAMES[i].name);
        if (symbol == NULL) return exports;
        memcpy(NAMES[i].slot, &symbol, sizeof symbol);
    }
    napi_value function;
    if (node.create_function(env, "wrap", 4, wrap, NULL, &function) == 0) {
        node.set_named_property(env, exports, "wrap", function);
    }
    return exports;
}
