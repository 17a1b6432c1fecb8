// One fault per name given as argument: the crash corpus of the analysis' tests.
// Every victim has a function of its own, so that the verdict can be asked for it.

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

#undef NDEBUG
#include <cassert>

// The compiler must neither see through these calls nor leave them out.
#ifdef __clang__
#define VICTIM __attribute__((noinline, optnone))
#else
#define VICTIM __attribute__((noipa))
#endif

namespace {

volatile int sink;
// What the optimiser must not know.
template <class T>
T hidden(T value) {
    volatile T copy = value;
    return copy;
}

struct Record {
    char padding[0x30];
    int field;
};

}  // namespace

extern "C" {

VICTIM void null_write(int* place) {
    *place = 42;
}

VICTIM int null_read_offset(const Record* record) {
    return record->field + 1;
}

VICTIM int non_canonical(const int* place) {
    return *place + 1;
}

VICTIM int wild_read(const long* place) {
    return static_cast<int>(*place) + 1;
}

VICTIM int divide_by_zero(int a, int b) {
    return a / b;
}

VICTIM void failing_assertion(int value) {
    assert(value == 7 && "the answer");
}

VICTIM void uncaught(int value) {
    throw std::runtime_error("cold " + std::to_string(value));
}

VICTIM int endless_recursion(int depth) {
    volatile char frame[200];
    frame[depth % 200] = static_cast<char>(depth);
    return endless_recursion(depth + 1) + frame[depth % 200];
}

VICTIM int run_pointer(int (*function)()) {
    return function() + 1;
}

VICTIM void free_twice(char* block) {
    std::free(block);
    std::free(block);
}

VICTIM void read_only_write(char* text) {
    text[0] = 'x';
}

VICTIM int beyond_end(const volatile char* mapping) {
    return mapping[8192] + 1;
}

VICTIM void illegal() {
    __asm__ volatile("ud2");
}

VICTIM void smash_stack(std::size_t size) {
    char buffer[16];
    std::memset(buffer, 'A', hidden(size));
    sink = buffer[3];
}

VICTIM void copy_to_null(char* to, const char* from) {
    std::strcpy(to, from);
    sink = 1;
}

VICTIM int guard_page(const volatile char* page) {
    return page[100] + 1;
}

VICTIM void misaligned(const char* place) {
    __asm__ volatile("movaps (%0), %%xmm0" : : "r"(place) : "xmm0");
}

VICTIM void raise_signal(int number) {
    std::raise(number);
    sink = 1;
}

VICTIM void be_killed(int number) {
    if (fork() == 0) {
        kill(getppid(), number);
        _exit(0);
    }
    for (;;)
        pause();
}

VICTIM void privileged() {
    __asm__ volatile("hlt");
}

}  // extern "C"

namespace {

int unlinkedFile() {
    char path[] = "/tmp/icecore-beyond-XXXXXX";
    const int file = mkstemp(path);
    unlink(path);
    return file;
}

void run(const std::string& what) {
    if (what == "null-write") null_write(hidden<int*>(nullptr));
    if (what == "null-write-thread") {
        std::thread([] {
            pthread_setname_np(pthread_self(), "writer");
            null_write(hidden<int*>(nullptr));
        }).join();
    }
    if (what == "null-read-offset") sink = null_read_offset(hidden<Record*>(nullptr));
    if (what == "non-canonical")
        sink = non_canonical(hidden(reinterpret_cast<int*>(0x4141414141414141)));
    if (what == "poison") sink = wild_read(hidden(reinterpret_cast<long*>(0xdeadbeef)));
    if (what == "error-value") sink = wild_read(static_cast<long*>(MAP_FAILED));
    if (what == "divide") sink = divide_by_zero(hidden(7), hidden(0));
    if (what == "divide-overflow") sink = divide_by_zero(hidden(INT32_MIN), hidden(-1));
    if (what == "assert") failing_assertion(hidden(6));
    if (what == "terminate") uncaught(hidden(5));
    if (what == "stack-overflow") sink = endless_recursion(hidden(0));
    if (what == "stack-overflow-thread")
        std::thread([] { sink = endless_recursion(hidden(0)); }).join();
    if (what == "execute-data") {
        static char code[16] = "\xc3";
        sink = run_pointer(hidden(reinterpret_cast<int (*)()>(code)));
    }
    if (what == "call-null") sink = run_pointer(hidden<int (*)()>(nullptr));
    if (what == "call-wild")
        sink = run_pointer(hidden(reinterpret_cast<int (*)()>(0x123456789000)));
    if (what == "double-free") free_twice(hidden(static_cast<char*>(std::malloc(100))));
    if (what == "read-only") read_only_write(hidden(const_cast<char*>("constant")));
    if (what == "beyond-end") {
        const int file = unlinkedFile();
        if (ftruncate(file, 16384) != 0) return;
        void* mapping = mmap(nullptr, 16384, PROT_READ, MAP_SHARED, file, 0);
        if (ftruncate(file, 4096) != 0) return;
        sink = beyond_end(static_cast<char*>(mapping));
    }
    if (what == "illegal") illegal();
    if (what == "stack-smash") smash_stack(hidden<std::size_t>(64));
    if (what == "strcpy-null") copy_to_null(hidden<char*>(nullptr), hidden("some text"));
    if (what == "guard") {
        void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sink = guard_page(static_cast<char*>(page));
    }
    if (what == "misaligned") {
        alignas(16) static char area[48];
        misaligned(hidden(area + 1));
    }
    if (what == "raise") raise_signal(hidden(SIGSEGV));
    if (what == "privileged") privileged();
    if (what == "killed") be_killed(SIGSEGV);
    if (what == "terminated") be_killed(SIGTERM);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2) run(argv[1]);
    return 0;
}
