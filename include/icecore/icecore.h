/* icecore as a library: take a dump of a process or of oneself, open a dump, look into it.
 * C99 and C++. Link with -licecore (pkg-config: icecore; CMake: icecore::icecore). See docs/api.md.
 *
 * Functions return ICECORE_OK or why not; icecore_message() then says it in words. Nothing here
 * prints, throws, exits or installs a signal handler. Functions on different dumps may run at the
 * same time; so may those that only read one dump (const). Strings are UTF-8 as the dump has them,
 * never NULL ("" where nothing is known), and live as long as the object that they came from. */
#ifndef ICECORE_ICECORE_H
#define ICECORE_ICECORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum icecore_status {
    ICECORE_OK = 0,
    ICECORE_IO = 1,           /* the system refused a read, write, seek… */
    ICECORE_NOT_FOUND = 2,    /* the file, process, symbol… is not there */
    ICECORE_PERMISSION = 3,   /* it is there, and we may not */
    ICECORE_EXISTS = 4,       /* it is there already, and must not be replaced */
    ICECORE_TRUNCATED = 5,    /* the data ends before what it promises */
    ICECORE_MALFORMED = 6,    /* the data contradicts itself or its specification */
    ICECORE_UNSUPPORTED = 7,  /* understood, and not handled */
    ICECORE_LIMIT = 8,        /* more than we are willing to hold; memory ran out */
    ICECORE_UNREADABLE = 9,   /* an address that the dump does not have */
    ICECORE_TARGET_GONE = 10, /* the process ended meanwhile */
    ICECORE_BUSY = 11,        /* someone else holds it: a debugger */
    ICECORE_CANCELLED = 12,   /* the callback said so */
    ICECORE_MISMATCH = 13,    /* a file that does not belong to this dump */
    ICECORE_USAGE = 14,       /* wrong arguments */
    ICECORE_INTERNAL = 15     /* a defect of icecore */
} icecore_status;

/* Why this thread's last call failed: one line; "" when it succeeded. Valid until this thread's
 * next call. */
const char* icecore_message(void);

/* "0.1.0". */
const char* icecore_version(void);

/* ---- taking a dump ----------------------------------------------------------------------------
 */

/* What to save: the sums of MINIDUMP_TYPE flags that `icecore dump --type` knows by name. Every sum
 * of those flags is allowed (icecore/minidump.h, docs/dump-types.md). */
#define ICECORE_TYPE_MINI 0x00000000u
#define ICECORE_TYPE_TRIAGE 0x000014a8u
#define ICECORE_TYPE_HEAP 0x00001b25u
#define ICECORE_TYPE_FULL 0x00001826u

typedef enum icecore_format {
    ICECORE_FORMAT_BY_NAME = 0, /* a path that ends in .dmp or .mdmp: a minidump; else a core */
    ICECORE_FORMAT_CORE = 1,
    ICECORE_FORMAT_MINIDUMP = 2
} icecore_format;

typedef enum icecore_snapshot {
    ICECORE_SNAPSHOT_AUTO = 0, /* a copy-on-write clone; where that is refused, the process stops */
    ICECORE_SNAPSHOT_CLONE = 1, /* a clone, or an error */
    ICECORE_SNAPSHOT_STOP = 2   /* the process stands still until all is written */
} icecore_snapshot;

/* Called now and then from any thread of the dump's: `done` of `total` (0: unknown) bytes of what
 * `phase` names. Nonzero ends the work with ICECORE_CANCELLED; no file is left then. */
typedef int (*icecore_progress)(const char* phase, uint64_t done, uint64_t total, void* context);

/* ICECORE_DUMP_OPTIONS_INIT is the default of each member. */
typedef struct icecore_dump_options {
    size_t size;   /* sizeof(icecore_dump_options): which members there are */
    uint32_t type; /* ICECORE_TYPE_… or flags */
    icecore_format format;
    icecore_snapshot snapshot;
    int compression;           /* level of zstd, 1 to 19; 0: none */
    int overwrite;             /* nonzero: replace a file that is there */
    icecore_progress progress; /* NULL: none. Not called by icecore_dump_self */
    void* progress_context;
} icecore_dump_options;

#define ICECORE_DUMP_OPTIONS_INIT  \
    {sizeof(icecore_dump_options), \
     ICECORE_TYPE_MINI,            \
     ICECORE_FORMAT_BY_NAME,       \
     ICECORE_SNAPSHOT_AUTO,        \
     0,                            \
     0,                            \
     NULL,                         \
     NULL}

typedef struct icecore_dump_result {
    uint64_t bytes;        /* of the dump, holes included, before compression */
    uint64_t unread_bytes; /* asked for, and could not be read; the dump lists them */
    uint64_t pause_ns;     /* how long the process stood still */
    int cloned;            /* whether that was only while it was cloned */
} icecore_dump_result;

/* Dumps process `pid` to `path`: a file of mode 0600 that appears when it is whole.
 * options  NULL: the defaults
 * result   filled in on success; NULL: not wanted */
icecore_status icecore_dump_process(uint64_t pid, const char* path,
                                    const icecore_dump_options* options,
                                    icecore_dump_result* result);
/* The same to a descriptor (file, pipe, socket) from its current offset; it stays open. What was
 * written before an error stays there. ICECORE_FORMAT_BY_NAME means a core. */
icecore_status icecore_dump_process_to(uint64_t pid, int descriptor,
                                       const icecore_dump_options* options,
                                       icecore_dump_result* result);
/* Dumps the calling process, by a helper program (icecore-dumper, beside the library): the calling
 * thread waits, the others stand still only while they are cloned. Not for signal handlers. */
icecore_status icecore_dump_self(const char* path, const icecore_dump_options* options,
                                 icecore_dump_result* result);
icecore_status icecore_dump_self_to(int descriptor, const icecore_dump_options* options,
                                    icecore_dump_result* result);

/* ---- reading a dump ---------------------------------------------------------------------------
 */

typedef struct icecore_dump icecore_dump;

/* Opens a dump of a process in any format that icecore reads, compressed ones too. Close it with
 * icecore_close. Where the dump is damaged, what can be had is there: see icecore_issue. */
icecore_status icecore_open(const char* path, icecore_dump** dump);
/* NULL is allowed. */
void icecore_close(icecore_dump* dump);

/* Where to look for symbols from now on: directories separated by ';', and `srv*cache*url` for
 * Windows' modules. Not at the same time as other functions on this dump. */
icecore_status icecore_set_symbol_path(icecore_dump* dump, const char* path);

typedef struct icecore_process_info {
    uint64_t pid, parent_pid;
    const char* name;
    const char* executable;
    const char* os; /* "Linux", "Windows"… */
    const char* os_version;
    const char* architecture; /* "x86-64", "arm64"… */
    size_t thread_count, module_count, issue_count;
} icecore_process_info;
icecore_status icecore_process(const icecore_dump* dump, icecore_process_info* info);

/* What was wrong with the dump or is missing in it, in words. */
icecore_status icecore_issue(const icecore_dump* dump, size_t index, const char** text);

typedef struct icecore_exception_info {
    uint64_t thread_id;
    uint32_t code;       /* signal number, or Windows' exception code */
    int32_t signal_code; /* si_code of a signal */
    int has_fault_address;
    uint64_t fault_address; /* the address accessed */
    uint64_t address;       /* of the instruction */
} icecore_exception_info;
/* ICECORE_NOT_FOUND when the dump was taken of a process in which nothing had happened. */
icecore_status icecore_exception(const icecore_dump* dump, icecore_exception_info* info);

typedef struct icecore_thread_info {
    uint64_t id;
    const char* name;
    int has_registers;
    uint64_t pc, sp; /* when it has registers */
} icecore_thread_info;
icecore_status icecore_thread(const icecore_dump* dump, size_t index, icecore_thread_info* info);
/* A register by its name in debuggers ("rip", "x0"). ICECORE_NOT_FOUND where it is not known. */
icecore_status icecore_register(const icecore_dump* dump, size_t thread, const char* name,
                                uint64_t* value);

/* `timestamp`, `image_size`: of Windows' images. `id`: build-id in lower-case hex; or GUID and age
 * as symbol servers spell them. */
typedef struct icecore_module_info {
    uint64_t begin, end; /* from the first byte to behind the last */
    const char* path;
    const char* name; /* as debuggers call it: "libc" */
    const char* id;
    const char* version;
    uint32_t timestamp, image_size;
} icecore_module_info;
icecore_status icecore_module(const icecore_dump* dump, size_t index, icecore_module_info* info);

typedef enum icecore_trust {
    ICECORE_TRUST_CONTEXT = 0,       /* the thread's own registers */
    ICECORE_TRUST_UNWIND_INFO = 1,   /* Windows' unwind tables */
    ICECORE_TRUST_CFI = 2,           /* DWARF call frame information */
    ICECORE_TRUST_FRAME_POINTER = 3, /* a chain of frame pointers, or the shadow stack */
    ICECORE_TRUST_SCAN = 4,          /* found by looking through the stack: a guess */
    ICECORE_TRUST_INLINE = 5         /* inlined into the next one */
} icecore_trust;

typedef struct icecore_frame {
    uint64_t pc, sp;
    icecore_trust trust;
    const char* module; /* short name; "" outside every module */
    uint64_t module_offset;
    const char* function; /* demangled; "" when nothing is known */
    uint64_t function_offset;
    const char* file; /* "" when not known */
    uint32_t line;    /* 0 when not known */
} icecore_frame;

typedef struct icecore_stack icecore_stack;

/* Walks one thread's stack; inlined functions are frames of their own. Free it with
 * icecore_free_stack; it must not outlive the dump. */
icecore_status icecore_walk(const icecore_dump* dump, size_t thread, icecore_stack** stack);
size_t icecore_frame_count(const icecore_stack* stack);
icecore_status icecore_stack_frame(const icecore_stack* stack, size_t index, icecore_frame* frame);
/* "" when the stack ends by itself, else why it ends there. */
const char* icecore_stack_note(const icecore_stack* stack);
void icecore_free_stack(icecore_stack* stack);

/* Reads memory of the process. `got` (may be NULL) is how many bytes from `address` on are there,
 * also when it is not all: ICECORE_UNREADABLE then. Bytes that the dump does not have are never
 * made up; what lies in `buffer` behind `got` is not changed. */
icecore_status icecore_read_memory(const icecore_dump* dump, uint64_t address, void* buffer,
                                   size_t size, size_t* got);

#ifdef __cplusplus
}
#endif

#endif
