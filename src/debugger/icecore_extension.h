/* Extensions of `icecore open`: shared libraries that bring commands of their own, `.load FILE`.
 *
 * A library exports one function, icecore_extension, that returns a table of commands. Each is then
 * typed as !NAME. This header is C, so that extensions can be written in any language.
 */
#ifndef ICECORE_EXTENSION_H
#define ICECORE_EXTENSION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a field or function below changes its meaning; new ones go to the end. */
#define ICECORE_EXTENSION_API 1

/* What a command can ask of the debugger. Valid during the call only. Strings are UTF-8. */
typedef struct icecore_host icecore_host; /* NOLINT(modernize-use-using) */
struct icecore_host {
    uint32_t api;  /* ICECORE_EXTENSION_API of the debugger */
    uint32_t size; /* of this struct in bytes */
    void* context; /* the debugger's own */

    void (*print)(const icecore_host* host, const char* text, size_t length);
    /* Bytes read from `address` on: fewer than `size` where the dump has no more. */
    size_t (*read_memory)(const icecore_host* host, uint64_t address, void* buffer, size_t size);
    /* An expression as typed: "@rsp + 8", "crash!main". 0 when it has no value. */
    int (*evaluate)(const icecore_host* host, const char* expression, uint64_t* value);
    /* Runs commands as if typed; what they print is printed. 0 when one failed. */
    int (*execute)(const icecore_host* host, const char* commands);
    /* "crash!main+0x10" for an address, NUL-terminated and cut to `size`; its whole length. */
    size_t (*symbol)(const icecore_host* host, uint64_t address, char* buffer, size_t size);
    /* Bytes of a pointer in the dump: 4 or 8. */
    uint32_t (*pointer_size)(const icecore_host* host);
    size_t (*thread_count)(const icecore_host* host);
    /* Id of the thread with this number, 0 when there is none. */
    uint64_t (*thread_id)(const icecore_host* host, size_t number);
    /* Not 0 when the user has asked to stop: return soon. */
    int (*interrupted)(const icecore_host* host);
};

typedef struct {         /* NOLINT(modernize-use-using) */
    const char* name;    /* without the '!' */
    const char* summary; /* one line */
    /* `arguments` is what was typed behind the name. 0: it failed. */
    int (*run)(const icecore_host* host, const char* arguments);
} icecore_command;

/* Exported by the library: its commands, the last one with a null name. Null when it cannot work
 * with a debugger of this api. */
typedef const icecore_command* (*icecore_extension_function)(uint32_t api); /* NOLINT */

#ifdef __cplusplus
}
#endif

#endif
