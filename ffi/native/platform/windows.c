/*
 * Windows, by its own functions: no other run-time library than the C runtime is needed.
 */
#include "platform.h"

#ifdef _WIN32

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lock(lock_type *it) {
    AcquireSRWLockExclusive(it);
}

void unlock(lock_type *it) {
    ReleaseSRWLockExclusive(it);
}

static BOOL CALLBACK call_once(PINIT_ONCE once, PVOID work, PVOID *context) {
    (void)once, (void)context;
    ((void (*)(void))work)();
    return TRUE;
}

void run_once(once_type *once, void (*work)(void)) {
    InitOnceExecuteOnce(once, call_once, (PVOID)work, NULL);
}

int make_thread_key(thread_key_type *key, PFLS_CALLBACK_FUNCTION thread_ends) {
    HMODULE self;
    /* The function must be there as long as threads end. */
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                            (LPCWSTR)(ULONG_PTR)thread_ends, &self)) {
        return -1;
    }
    *key = FlsAlloc(thread_ends);
    return *key == FLS_OUT_OF_INDEXES ? -1 : 0;
}

void *thread_value(thread_key_type key) {
    return FlsGetValue(key);
}

int set_thread_value(thread_key_type key, void *value) {
    return FlsSetValue(key, value) ? 0 : -1;
}

BOOLEAN NTAPI RtlDllShutdownInProgress(VOID);

/* The last thread's values are given up after all others were ended, whatever locks they held. */
int process_is_ending(void) {
    return RtlDllShutdownInProgress();
}

static void describe_failure(DWORD code, char *error, size_t length) {
    WCHAR text[256];
    const DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
    DWORD count = FormatMessageW(flags, NULL, code, 0, text, sizeof text / sizeof *text, NULL);
    while (count > 0 && text[count - 1] <= L' ') count--;
    char said[3 * sizeof text / sizeof *text + 1];
    int bytes = WideCharToMultiByte(CP_UTF8, 0, text, (int)count, said, sizeof said - 1, NULL, NULL);
    said[bytes] = '\0';
    if (length > 0) snprintf(error, length, "%s (Windows error %lu)", said, (unsigned long)code);
}

void *open_object(const char *path, char *error, size_t length) {
    int units = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    WCHAR *wide = units > 0 ? malloc((size_t)units * sizeof *wide) : NULL;
    HMODULE object = NULL;
    DWORD code = ERROR_INVALID_NAME;
    if (wide != NULL) {
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, units);
        object = LoadLibraryW(wide);
        code = GetLastError();
        free(wide);
    }
    if (object == NULL) describe_failure(code, error, length);
    return object;
}

void *find_in_object(void *object, const char *name) {
    FARPROC found = GetProcAddress(object, name);
    void *address;
    memcpy(&address, &found, sizeof address);
    return address;
}

void *find_in_program(const char *name) {
    return find_in_object(GetModuleHandleW(NULL), name);
}

#endif
