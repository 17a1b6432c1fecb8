// A Windows program that goes wrong in the way its first argument names and writes a dump of itself
// to the file its second names, with the MINIDUMP_TYPE its third gives in hex; a fourth says how
// many threads wait beside the one that crashes (3, at most 64). Built with clang and lld as PE +
// PDB; there is no Windows SDK here, so the few functions it uses are declared in it.
using Handle = void*;
using Dword = unsigned int;
using Size = unsigned long long;

struct ExceptionRecord {
    Dword code, flags;
    ExceptionRecord* record;
    void* address;
    Dword parameterCount;
    Size parameters[15];
};
struct ExceptionPointers {
    ExceptionRecord* record;
    void* context;
};
#pragma pack(push, 4)
struct DumpException {
    Dword threadId;
    ExceptionPointers* pointers;
    int clientPointers;
};
#pragma pack(pop)
struct CriticalSection {
    void* debug;
    int lockCount, recursionCount;
    Handle owner, semaphore;
    Size spinCount;
};

#define IMPORT extern "C" __declspec(dllimport)
IMPORT Handle CreateFileA(const char*, Dword, Dword, void*, Dword, Dword, Handle);
IMPORT int CloseHandle(Handle);
IMPORT Handle LoadLibraryA(const char*);
IMPORT int FreeLibrary(Handle);
IMPORT void* GetProcAddress(Handle, const char*);
IMPORT Handle GetCurrentProcess();
IMPORT Dword GetCurrentProcessId();
IMPORT Dword GetCurrentThreadId();
IMPORT Handle GetCurrentThread();
IMPORT const char* GetCommandLineA();
IMPORT Handle CreateThread(void*, Size, Dword (*)(void*), void*, Dword, Dword*);
IMPORT Handle CreateEventA(void*, int, int, const char*);
IMPORT int SetEvent(Handle);
IMPORT Dword WaitForSingleObject(Handle, Dword);
IMPORT void Sleep(Dword);
IMPORT int TerminateProcess(Handle, Dword);
IMPORT void RaiseException(Dword, Dword, Dword, const Size*);
IMPORT void* AddVectoredExceptionHandler(Dword, int (*)(ExceptionPointers*));
IMPORT void InitializeCriticalSection(CriticalSection*);
IMPORT void EnterCriticalSection(CriticalSection*);
IMPORT void LeaveCriticalSection(CriticalSection*);
IMPORT void* VirtualAlloc(void*, Size, Dword, Dword);
IMPORT int VirtualProtect(void*, Size, Dword, Dword*);
IMPORT void SetLastError(Dword);
IMPORT int CreateProcessA(const char*, char*, void*, void*, int, Dword, void*, const char*, void*,
                          void*);

// What the compiler expects of a C++ runtime.
void operator delete(void*, Size) noexcept {}
extern "C" {
int _fltused = 0;
const void* typeInfoTable[1] __asm__("??_7type_info@@6B@") = {nullptr};
[[noreturn]] void _CxxThrowException(void* object, void* throwInfo) {
    extern const char imageBase[] __asm__("__ImageBase");
    const Size parameters[4] = {0x19930520, reinterpret_cast<Size>(object),
                                reinterpret_cast<Size>(throwInfo),
                                reinterpret_cast<Size>(imageBase)};
    RaiseException(0xe06d7363, 1, 4, parameters);
    __builtin_unreachable();
}
}

/// What the handler was given: records in memory that a debugger can be asked about.
extern "C" {
ExceptionPointers* pointersOfException;
}

namespace {

using Writer = int (*)(Handle, Dword, Handle, Dword, DumpException*, void*, void*);
Writer writeDump;
const char* dumpFile;
Dword dumpType;
Handle go, done;
DumpException exceptionOfDump;
volatile int sink;
volatile int ready;
bool waitInHandler;

void writeNow(DumpException* exception) {
    constexpr Dword readWrite = 0xc0000000, createAlways = 2;
    const Handle file = CreateFileA(dumpFile, readWrite, 0, nullptr, createAlways, 0, nullptr);
    const int ok = writeDump(GetCurrentProcess(), GetCurrentProcessId(), file, dumpType, exception,
                             nullptr, nullptr);
    CloseHandle(file);
    TerminateProcess(GetCurrentProcess(), ok ? 0 : 3);
}

/// A thread of its own writes: one whose stack has overflown could not.
Dword dumper(void*) {
    WaitForSingleObject(go, 0xffffffff);
    writeNow(&exceptionOfDump);
    return 0;
}

int handler(ExceptionPointers* pointers) {
    pointersOfException = pointers;
    exceptionOfDump = {GetCurrentThreadId(), pointers, 0};
    // Wine takes the writing thread for the one that crashed, whatever it is told.
    constexpr Dword stackOverflow = 0xc00000fd;
    if (pointers->record->code != stackOverflow && !waitInHandler) writeNow(&exceptionOfDump);
    SetEvent(go);
    WaitForSingleObject(done, 0xffffffff);
    return 0;
}

}  // namespace

#define NOINLINE __attribute__((noinline))

#include "variables.h"

struct Job {
    int number;
    double weight;
    const char* name;
    Job* next;
};

class ParseError {
public:
    explicit ParseError(int line) : line_(line) {}
    virtual ~ParseError() {}
    int line_;
};
class FormatError : public ParseError {
public:
    using ParseError::ParseError;
};

static inline __attribute__((always_inline)) int addInlined(Job* job, int k) {
    if (k == 42) *static_cast<volatile int*>(nullptr) = 1;  // the null write
    sink += k * job->number;
    return sink;
}
static inline __attribute__((always_inline)) int twiceInlined(Job* job, int k) {
    sink = sink + 1;
    return addInlined(job, k) + 1;
}
NOINLINE int compute(Job* job, int k) {
    int local[4] = {k, k + 1, k + 2, k + 3};
    sink += local[k & 3];
    const int result = twiceInlined(job, k);
    sink += result;
    return result;
}
NOINLINE int recurse(volatile int* above, int depth) {
    volatile int here[64];
    here[depth & 63] = depth + *above;
    const int below = recurse(here, depth + 1);
    return below + here[depth & 31];
}
NOINLINE int parse(int line) {
    sink = line;
    if (line > 3) throw FormatError(line);
    return sink;
}
NOINLINE int execute(void* where) {
    sink = sink + 1;
    const int result = reinterpret_cast<int (*)()>(where)();
    sink = sink + result;
    return result;
}
NOINLINE int readFrom(Size address) {
    const int value = *reinterpret_cast<volatile int*>(address);
    sink = sink + value;
    return value;
}
NOINLINE int divide(int by) {
    volatile int dividend = 7, divisor = by;
    sink = dividend / divisor;
    return sink;
}
NOINLINE int waitInDepth(Job* job, int depth) {
    if (depth > 0) {
        const int result = waitInDepth(job, depth - 1);
        sink += result;
        return result + 1;
    }
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    WaitForSingleObject(done, 0xffffffff);
    sink = sink + 1;
    return job->number;
}

CriticalSection sectionA, sectionB;
NOINLINE int takeBoth(CriticalSection* first, CriticalSection* second) {
    EnterCriticalSection(first);
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    while (ready < 2)
        Sleep(1);
    EnterCriticalSection(second);
    sink = sink + 1;
    LeaveCriticalSection(second);
    LeaveCriticalSection(first);
    return sink;
}

/// Two that wait for each other through the loader's lock.
NOINLINE int loadWithSection() {
    EnterCriticalSection(&sectionA);
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    while (ready < 2)
        Sleep(1);
    const Handle library = LoadLibraryA("winmm.dll");
    sink = sink + (library != nullptr);
    LeaveCriticalSection(&sectionA);
    return sink;
}
NOINLINE int enterInsideLoader() {
    using Lock = int (*)(Dword, Dword*, Size*);
    const auto lock =
        reinterpret_cast<Lock>(GetProcAddress(LoadLibraryA("ntdll.dll"), "LdrLockLoaderLock"));
    Dword state = 0;
    Size cookie = 0;
    lock(0, &state, &cookie);
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    while (ready < 2)
        Sleep(1);
    EnterCriticalSection(&sectionA);
    sink = sink + 1;
    LeaveCriticalSection(&sectionA);
    return sink;
}

Job mainJob = {7, 2.5, "main job", nullptr};

Dword worker(void* argument) {
    Job* job = static_cast<Job*>(argument);
    const int result = waitInDepth(job, 2 + job->number % 3);
    sink = sink + result;  // no tail call: the frame stays
    return static_cast<Dword>(result);
}
Dword firstTaker(void*) {
    return static_cast<Dword>(takeBoth(&sectionA, &sectionB));
}
Dword secondTaker(void*) {
    return static_cast<Dword>(takeBoth(&sectionB, &sectionA));
}

Dword loadingThread(void*) {
    return static_cast<Dword>(loadWithSection());
}
Dword enteringThread(void*) {
    return static_cast<Dword>(enterInsideLoader());
}

/// Whoever writes a dump takes the loader's lock: a process that lacks it cannot dump itself, its
/// parent can. STARTUPINFOA begins with its size.
void dumpChild(const char* program) {
    struct {
        Dword size;
        alignas(8) char rest[96];
    } startup = {};
    struct {
        Handle process, thread;
        Dword processId, threadId;
    } child = {};
    static char line[1200];
    char* out = line;
    const char* const parts[] = {"\"", program, "\" loaderchild - 0"};
    for (const char* part : parts) {
        for (; *part && out < line + sizeof line - 1; ++part)
            *out++ = *part;
    }
    startup.size = sizeof startup;
    const Handle hangs = CreateEventA(nullptr, 1, 0, "icecore-loader");
    if (!CreateProcessA(nullptr, line, nullptr, nullptr, 0, 0, nullptr, nullptr, &startup, &child))
        TerminateProcess(GetCurrentProcess(), 5);
    WaitForSingleObject(hangs, 60000);
    Sleep(300);  // until both wait; whether they do is what the test looks at
    constexpr Dword readWrite = 0xc0000000, createAlways = 2;
    const Handle file = CreateFileA(dumpFile, readWrite, 0, nullptr, createAlways, 0, nullptr);
    const int ok =
        writeDump(child.process, child.processId, file, dumpType, nullptr, nullptr, nullptr);
    CloseHandle(file);
    TerminateProcess(child.process, 0);
    TerminateProcess(GetCurrentProcess(), ok ? 0 : 3);
}

static bool same(const char* a, const char* b) {
    for (; *a && *a == *b; ++a, ++b) {
    }
    return *a == *b;
}

Dword crasher(void* argument) {
    const char* how = static_cast<const char*>(argument);
    SetLastError(1234);
    int result = 1;
    if (same(how, "null")) result = compute(&mainJob, 42);
    if (same(how, "variables")) {
        ice::fill();
        result = ice::optimised(2, &ice::thing) + ice::thing.run(1);
    }
    if (same(how, "overflow")) result = recurse(&sink, 1);
    if (same(how, "throw")) result = parse(17);
    if (same(how, "divide")) result = divide(0);
    if (same(how, "inhandler")) {
        waitInHandler = true;
        result = readFrom(8);
    }
    if (same(how, "callnull")) result = execute(nullptr);
    if (same(how, "noncanonical")) result = readFrom(0xdead00000000beef);
    if (same(how, "execdata")) {
        unsigned char* page = static_cast<unsigned char*>(VirtualAlloc(nullptr, 4096, 0x3000, 4));
        page[0] = 0xc3;
        result = execute(page);
    }
    if (same(how, "guard")) {
        constexpr Dword guarded = 0x104;  // PAGE_READWRITE | PAGE_GUARD
        result = readFrom(reinterpret_cast<Size>(VirtualAlloc(nullptr, 4096, 0x3000, guarded)));
    }
    if (same(how, "heap")) {
        // What the heap raises of itself; its parameter is its own record of what it found.
        const Size parameters[1] = {reinterpret_cast<Size>(&mainJob)};
        RaiseException(0xc0000374, 1, 1, parameters);
    }
    if (same(how, "patched")) {
        // Somebody writes over the first instruction of a function: mov al, [0x8].
        unsigned char* code = reinterpret_cast<unsigned char*>(&readFrom);
        Dword before = 0;
        VirtualProtect(code, 16, 0x40, &before);
        const unsigned char patch[] = {0x8a, 0x04, 0x25, 8, 0, 0, 0};
        for (Size i = 0; i < sizeof patch; ++i)
            static_cast<volatile unsigned char*>(code)[i] = patch[i];
        result = readFrom(16);
    }
    if (same(how, "abort")) RaiseException(0x40000015, 1, 0, nullptr);
    if (same(how, "clr")) {
        const Size parameters[5] = {0xffffffff80131509, 0, 0, 0, 0};
        RaiseException(0xe0434352, 1, 5, parameters);
    }
    if (same(how, "fastfail")) {
        // What `int 29h` makes of ecx = 2 on Windows; Wine ends the thread without asking anyone.
        const Size parameters[1] = {2};
        RaiseException(0xc0000409, 1, 1, parameters);
    }
    sink = sink + result;  // no tail call: the frame stays
    return static_cast<Dword>(result);
}

extern "C" void entry() {
    static char line[1024];
    const char* arguments[5] = {};
    int count = 0;
    char* out = line;
    bool inside = false, quoted = false;
    for (const char* in = GetCommandLineA(); *in && out < line + sizeof line - 1; ++in) {
        if (*in == '"') {
            quoted = !quoted;
            continue;
        }
        if ((*in == ' ' || *in == '\t') && !quoted) {
            if (inside) *out++ = 0;
            inside = false;
            continue;
        }
        if (!inside && count < 5) arguments[count++] = out;
        inside = true;
        *out++ = *in;
    }
    if (count < 4) TerminateProcess(GetCurrentProcess(), 2);
    dumpFile = arguments[2];
    for (const char* digit = arguments[3]; *digit; ++digit)
        dumpType =
            dumpType * 16 + static_cast<Dword>(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);

    writeDump =
        reinterpret_cast<Writer>(GetProcAddress(LoadLibraryA("dbghelp.dll"), "MiniDumpWriteDump"));
    if (!writeDump) TerminateProcess(GetCurrentProcess(), 4);
    go = CreateEventA(nullptr, 1, 0, nullptr);
    done = CreateEventA(nullptr, 1, 0, "icecore-done");
    FreeLibrary(LoadLibraryA("winmm.dll"));  // an unloaded module
    if (same(arguments[1], "loader")) dumpChild(arguments[0]);
    if (same(arguments[1], "loaderchild")) {
        InitializeCriticalSection(&sectionA);
        CreateThread(nullptr, 0, loadingThread, nullptr, 0, nullptr);
        while (ready < 1)  // a thread that begins needs the loader's lock too
            Sleep(1);
        CreateThread(nullptr, 0, enteringThread, nullptr, 0, nullptr);
        while (ready < 2)
            Sleep(1);
        SetEvent(CreateEventA(nullptr, 1, 0, "icecore-loader"));
        Sleep(60000);
        TerminateProcess(GetCurrentProcess(), 6);
    }
    if (same(arguments[1], "hang")) {
        InitializeCriticalSection(&sectionA);
        InitializeCriticalSection(&sectionB);
        CreateThread(nullptr, 0, firstTaker, nullptr, 0, nullptr);
        CreateThread(nullptr, 0, secondTaker, nullptr, 0, nullptr);
        while (ready < 2)
            Sleep(1);
        Sleep(200);  // until both wait; whether they do is what the test looks at
        writeNow(nullptr);
    }
    constexpr int mostWorkers = 64;
    static Job jobs[mostWorkers];
    int workers = 3;
    if (arguments[4]) {
        workers = 0;
        for (const char* digit = arguments[4]; *digit >= '0' && *digit <= '9'; ++digit)
            workers = workers * 10 + (*digit - '0');
        if (workers > mostWorkers) workers = mostWorkers;
    }
    for (int i = 0; i < workers; ++i) {
        jobs[i] = {i, i * 1.5, "worker job", &mainJob};
        CreateThread(nullptr, 0, worker, &jobs[i], 0, nullptr);
    }
    while (ready < workers)
        Sleep(1);
    CreateThread(nullptr, 0, dumper, nullptr, 0, nullptr);
    AddVectoredExceptionHandler(1, handler);
    WaitForSingleObject(
        CreateThread(nullptr, 0, crasher, const_cast<char*>(arguments[1]), 0, nullptr), 0xffffffff);
    TerminateProcess(GetCurrentProcess(), 9);
}
