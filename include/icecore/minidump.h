/* MiniDumpWriteDump for Linux: Microsoft's function of this name, with its types and flags, out of
 * libdbghelp.so. Names, values and layouts are those that Microsoft documents for minidumpapiset.h;
 * the text here is icecore's own. C99 and C++. See docs/api.md.
 *
 * On Linux ULONG, ULONG32 and BOOL have 32 bits as on Windows; the structures that Windows packs to
 * four bytes are packed here as well, so that a caller in another language (DllImport, ctypes) uses
 * one declaration for both systems. */
#ifndef ICECORE_MINIDUMP_H
#define ICECORE_MINIDUMP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void* HANDLE;

/* What to save: a sum of these. What each one means on Linux: docs/dump-types.md. */
typedef enum MINIDUMP_TYPE {
    MiniDumpNormal = 0x00000000,
    MiniDumpWithDataSegs = 0x00000001,
    MiniDumpWithFullMemory = 0x00000002,
    MiniDumpWithHandleData = 0x00000004,
    MiniDumpFilterMemory = 0x00000008,
    MiniDumpScanMemory = 0x00000010,
    MiniDumpWithUnloadedModules = 0x00000020,
    MiniDumpWithIndirectlyReferencedMemory = 0x00000040,
    MiniDumpFilterModulePaths = 0x00000080,
    MiniDumpWithProcessThreadData = 0x00000100,
    MiniDumpWithPrivateReadWriteMemory = 0x00000200,
    MiniDumpWithoutOptionalData = 0x00000400,
    MiniDumpWithFullMemoryInfo = 0x00000800,
    MiniDumpWithThreadInfo = 0x00001000,
    MiniDumpWithCodeSegs = 0x00002000
} MINIDUMP_TYPE;

#define EXCEPTION_MAXIMUM_PARAMETERS 15

typedef struct EXCEPTION_RECORD {
    uint32_t ExceptionCode;  /* on Linux the signal number, so that readers name it */
    uint32_t ExceptionFlags; /* on Linux its si_code */
    struct EXCEPTION_RECORD* ExceptionRecord;
    void* ExceptionAddress; /* on Linux the address accessed, as in siginfo_t's si_addr */
    uint32_t NumberParameters;
    uintptr_t ExceptionInformation[EXCEPTION_MAXIMUM_PARAMETERS];
} EXCEPTION_RECORD;

/* ContextRecord: Microsoft's CONTEXT of AMD64 (1232 bytes), or NULL: the registers that the thread
 * had when the dump was taken. */
typedef struct EXCEPTION_POINTERS {
    EXCEPTION_RECORD* ExceptionRecord;
    void* ContextRecord;
} EXCEPTION_POINTERS;

#pragma pack(push, 4)

typedef struct MINIDUMP_EXCEPTION_INFORMATION {
    uint32_t ThreadId; /* as gettid() gives it */
    EXCEPTION_POINTERS* ExceptionPointers;
    int32_t ClientPointers; /* nonzero: the pointers are those of the process that is dumped */
} MINIDUMP_EXCEPTION_INFORMATION;

typedef struct MINIDUMP_USER_STREAM {
    uint32_t Type; /* above 0xffff for streams of one's own */
    uint32_t BufferSize;
    void* Buffer;
} MINIDUMP_USER_STREAM;

typedef struct MINIDUMP_USER_STREAM_INFORMATION {
    uint32_t UserStreamCount;
    MINIDUMP_USER_STREAM* UserStreamArray;
} MINIDUMP_USER_STREAM_INFORMATION;

/* ---- callbacks --------------------------------------------------------------------------------
 */

/* What a callback is asked. Types that are not listed are never asked for here. */
typedef enum MINIDUMP_CALLBACK_TYPE {
    ModuleCallback = 0,        /* which parts of a module; FALSE leaves it out */
    ThreadCallback = 1,        /* which parts of a thread; FALSE leaves it out */
    IncludeThreadCallback = 3, /* FALSE leaves the thread out */
    IncludeModuleCallback = 4, /* FALSE leaves the module out */
    MemoryCallback = 5,        /* one more range to save; asked until FALSE or an empty one */
    CancelCallback = 6,        /* whether to stop; asked again while CheckCancel is said */
    RemoveMemoryCallback = 9   /* one range not to save; asked until FALSE or an empty one */
} MINIDUMP_CALLBACK_TYPE;

typedef enum THREAD_WRITE_FLAGS {
    ThreadWriteThread = 0x0001,
    ThreadWriteStack = 0x0002,
    ThreadWriteContext = 0x0004
} THREAD_WRITE_FLAGS;

typedef enum MODULE_WRITE_FLAGS {
    ModuleWriteModule = 0x0001,
    ModuleWriteDataSeg = 0x0002,
    ModuleWriteMiscRecord = 0x0004,
    ModuleWriteCvRecord = 0x0008,
    ModuleReferencedByMemory = 0x0010, /* only told, with MiniDumpScanMemory */
    ModuleWriteCodeSegs = 0x0040
} MODULE_WRITE_FLAGS;

typedef struct MINIDUMP_THREAD_CALLBACK {
    uint32_t ThreadId;
    HANDLE ThreadHandle;    /* NULL */
    uint8_t Context[1232];  /* Microsoft's CONTEXT of AMD64 */
    uint32_t SizeOfContext; /* 0: the registers are not known */
    uint64_t StackBase;     /* the highest address */
    uint64_t StackEnd;
} MINIDUMP_THREAD_CALLBACK;

typedef struct MINIDUMP_INCLUDE_THREAD_CALLBACK {
    uint32_t ThreadId;
} MINIDUMP_INCLUDE_THREAD_CALLBACK;

typedef struct MINIDUMP_MODULE_CALLBACK {
    uint16_t* FullPath; /* UTF-16, ends with 0 */
    uint64_t BaseOfImage;
    uint32_t SizeOfImage;
    uint32_t CheckSum;
    uint32_t TimeDateStamp;
    uint32_t VersionInfo[13]; /* VS_FIXEDFILEINFO; zeros */
    void* CvRecord;           /* on Linux "LEpB" and the build-id */
    uint32_t SizeOfCvRecord;
    void* MiscRecord; /* NULL */
    uint32_t SizeOfMiscRecord;
} MINIDUMP_MODULE_CALLBACK;

typedef struct MINIDUMP_INCLUDE_MODULE_CALLBACK {
    uint64_t BaseOfImage;
} MINIDUMP_INCLUDE_MODULE_CALLBACK;

typedef struct MINIDUMP_CALLBACK_INPUT {
    uint32_t ProcessId;
    HANDLE ProcessHandle; /* as it was given */
    uint32_t CallbackType;
    union {
        MINIDUMP_THREAD_CALLBACK Thread;
        MINIDUMP_MODULE_CALLBACK Module;
        MINIDUMP_INCLUDE_THREAD_CALLBACK IncludeThread;
        MINIDUMP_INCLUDE_MODULE_CALLBACK IncludeModule;
    } u;
} MINIDUMP_CALLBACK_INPUT;

typedef struct MINIDUMP_CALLBACK_OUTPUT {
    union {
        uint32_t ModuleWriteFlags; /* holds what will be written; take out or add */
        uint32_t ThreadWriteFlags;
        struct {
            uint64_t MemoryBase;
            uint32_t MemorySize;
        } Memory;
        struct {
            int32_t CheckCancel;
            int32_t Cancel;
        } Cancel;
        uint8_t Reserved[56];
    } u;
} MINIDUMP_CALLBACK_OUTPUT;

typedef int32_t (*MINIDUMP_CALLBACK_ROUTINE)(void* CallbackParam, MINIDUMP_CALLBACK_INPUT* Input,
                                             MINIDUMP_CALLBACK_OUTPUT* Output);

typedef struct MINIDUMP_CALLBACK_INFORMATION {
    MINIDUMP_CALLBACK_ROUTINE CallbackRoutine;
    void* CallbackParam;
} MINIDUMP_CALLBACK_INFORMATION;

#pragma pack(pop)

/* Writes a minidump of the process `ProcessId` to the descriptor `hFile`, from its current offset.
 *
 * hProcess         not looked at: ProcessId decides (.NET hands over an opaque wait handle)
 * hFile            a descriptor open for writing, cast to a pointer; it stays open
 * ExceptionParam   the exception that led here, or NULL
 * UserStreamParam  streams to add, or NULL
 * CallbackParam    who is asked what to write, or NULL. The routine runs in this process, while the
 *                  other one (or the clone of this one) stands still, in threads of this call's
 *
 * Returns 1, or 0 with errno set and icecore_last_error() telling why. What was written by then
 * stays in the file. Neither throws nor prints. Thread-safe; not to be called in a signal handler.
 */
int32_t MiniDumpWriteDump(HANDLE hProcess, uint32_t ProcessId, HANDLE hFile, MINIDUMP_TYPE DumpType,
                          const MINIDUMP_EXCEPTION_INFORMATION* ExceptionParam,
                          const MINIDUMP_USER_STREAM_INFORMATION* UserStreamParam,
                          const MINIDUMP_CALLBACK_INFORMATION* CallbackParam);

/* Why this thread's last call failed: one line of UTF-8, "" when it succeeded. Valid until this
 * thread's next call; not to be freed. */
const char* icecore_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
