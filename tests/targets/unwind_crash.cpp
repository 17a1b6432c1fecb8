// Stacks of every shape, each ending in a fatal signal: `unwind_crash SCENARIO`.
// Functions of interest are extern "C" and start with `at_`, so that tests can name them.

#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#define AT extern "C" __attribute__((noinline, used))
// Keeps a call from becoming a jump.
#define KEEP asm volatile("" ::: "memory")

namespace {
volatile int zero = 0;
}

AT void at_crash() {
    *reinterpret_cast<volatile int*>(static_cast<std::uintptr_t>(zero)) = 1;
    KEEP;
}

// ---- plain ----

AT int at_recursion(int depth) {
    if (depth == 0) at_crash();
    const int below = depth == 0 ? 0 : at_recursion(depth - 1);
    KEEP;
    return below + 1;
}

AT __attribute__((noreturn)) void at_die() {
    std::abort();
}
// The call is the last instruction: the return address lies behind the function.
AT __attribute__((noreturn)) void at_noreturn() {
    at_die();
}

// ---- calls into nothing ----

using Function = void (*)();
AT void at_call_null(Function function) {
    function();
    KEEP;
}
char notCode[64] = {1};

// ---- frames that need expressions ----

AT void at_sink(void* pointer) {
    std::memset(pointer, 0x5a, 8);
    at_crash();
    KEEP;
}
AT void at_aligned_vla(int size) {
    alignas(64) char aligned[64];
    char variable[size];  // NOLINT: what is tested
    aligned[0] = variable[0] = static_cast<char>(size);
    at_sink(reinterpret_cast<std::uintptr_t>(aligned) % 64 == 0 ? variable : nullptr);
    KEEP;
}
AT void at_alloca(int size) {
    void* memory = alloca(static_cast<std::size_t>(size));
    at_sink(memory);
    KEEP;
}

// ---- tail calls ----

#pragma GCC push_options
#pragma GCC optimize("O2")
AT void at_tail_last(int value) {
    if (value > 0) at_crash();
    KEEP;
}
AT void at_tail_middle(int value) {
    at_tail_last(value + 1);
}
AT void at_tail_first(int value) {
    at_tail_middle(value);
    KEEP;
}
#pragma GCC pop_options

// ---- exceptions ----

AT void at_throw() {
    throw std::runtime_error("nobody catches this");
}
AT void at_noexcept() noexcept {
    at_throw();
    KEEP;
}

// ---- signals ----

AT void at_handler_work() {
    at_crash();
    KEEP;
}
AT void at_handler(int) {
    at_handler_work();
    KEEP;
}
void onAltStack(bool alternative) {
    if (alternative) {
        stack_t stack{};
        stack.ss_size = 64 * 1024;
        stack.ss_sp = mmap(nullptr, stack.ss_size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sigaltstack(&stack, nullptr);
    }
    struct sigaction action{};
    action.sa_handler = at_handler;
    action.sa_flags = alternative ? SA_ONSTACK : 0;
    sigaction(SIGUSR1, &action, nullptr);
}
// A leaf that a signal interrupts: its return address has never been stored by itself.
AT int at_spin(volatile int* flag) {
    int turns = 0;
    while (*flag == 0)
        ++turns;
    return turns;
}
AT void at_interrupted() {
    static volatile int never = 0;
    at_spin(&never);
    KEEP;
}
void signalLater() {
    // Another thread sends it, so that it comes in the middle of the loop.
    pthread_t thread;
    static pthread_t target;
    target = pthread_self();
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
            usleep(100 * 1000);
            pthread_kill(target, SIGUSR1);
            pause();
            return nullptr;
        },
        nullptr);
}
AT void at_raise() {
    raise(SIGUSR1);
    KEEP;
}

// ---- stacks that are broken, or not the thread's own ----

AT int at_overflow(int depth) {
    volatile char room[200];
    room[0] = static_cast<char>(depth);
    const int below = at_overflow(depth + 1);
    KEEP;
    return below + room[0];
}

// Overwrites its own saved frame pointer and return address, then crashes.
AT void at_smashed() {
    auto* frame = static_cast<std::uintptr_t*>(__builtin_frame_address(0));
    frame[0] = 0x4141414141414141;
    frame[1] = 0x4242424242424242;
    at_crash();
    KEEP;
}
AT void at_smasher() {
    at_smashed();
    KEEP;
}

ucontext_t mainContext, coroutine;
AT void at_coroutine_work() {
    at_crash();
    KEEP;
}
AT void at_coroutine() {
    at_coroutine_work();
    KEEP;
}
AT void at_switch() {
    static char stack[128 * 1024];
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = sizeof stack;
    coroutine.uc_link = &mainContext;
    makecontext(&coroutine, at_coroutine, 0);
    swapcontext(&mainContext, &coroutine);
    KEEP;
}

AT int at_main(const char* scenario) {
    const auto is = [&](const char* name) { return std::strcmp(scenario, name) == 0; };
    if (is("recursion")) at_recursion(60);
    if (is("noreturn")) at_noreturn();
    if (is("null-call"))
        at_call_null(reinterpret_cast<Function>(static_cast<std::uintptr_t>(zero)));
    if (is("wild-call")) at_call_null(reinterpret_cast<Function>(&notCode[16]));
    if (is("aligned-vla")) at_aligned_vla(zero + 100);
    if (is("alloca")) at_alloca(zero + 3000);
    if (is("tail-call")) at_tail_first(1);
    if (is("throw")) at_throw();
    if (is("noexcept")) at_noexcept();
    if (is("handler")) onAltStack(false), at_raise();
    if (is("altstack")) onAltStack(true), at_raise();
    if (is("interrupted")) onAltStack(true), signalLater(), at_interrupted();
    if (is("overflow")) at_overflow(0);
    if (is("smashed")) at_smasher();
    if (is("coroutine")) at_switch();
    KEEP;
    return 2;
}

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    return at_main(argv[1]) + zero;
}
