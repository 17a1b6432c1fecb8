// Stands still, or nearly so, in states that a dump must show as they are. Its first argument:
//
//   registers   a thread turns round and round with known values in all its registers; another one
//               has blocked signals, of which one is pending, has used up some CPU time and sleeps
//               with a known errno
//   handler     a signal arrives in the middle of work; its handler never returns
//   alternate   the same, on a stack of its own
//   vdso        a signal arrives while the vdso is at work; its handler never returns
//
// Prints where things are, says "ready" and waits until it is killed.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static void say(const char* key, uint64_t value) {
    printf("%s 0x%llx\n", key, (unsigned long long)value);
    fflush(stdout);
}

static void ready(void) {
    puts("ready");
    fflush(stdout);
}

static atomic_int started;

// Register n of sixteen bytes or more holds 0x1cec04e0000000nn, 0x5eed0000000000nn.
static uint64_t vectors[16][4] __attribute__((aligned(32)));

static void* turns(void* argument) {
    (void)argument;
    prctl(PR_SET_NAME, "registers");
    say("registers", (uint64_t)syscall(SYS_gettid));
    const int wide = __builtin_cpu_supports("avx");
    say("wide", (uint64_t)wide);
    // AVX-512 adds registers and masks.
    const int wider = __builtin_cpu_supports("avx512f");
    say("wider", (uint64_t)wider);
    for (uint64_t i = 0; i < 16; ++i) {
        vectors[i][0] = 0x1cec04e000000000u + i;
        vectors[i][1] = 0x5eed000000000000u + i;
        vectors[i][2] = 0xca11000000000000u + i;
        vectors[i][3] = 0xfee1000000000000u + i;
    }
    static const unsigned mxcsr = 0x5fa0;  // round up, precision seen
    if (wide) {
#define LOAD(n) "vmovdqa " #n "*32(%0), %%ymm" #n "\n"
        __asm__ volatile(LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7) LOAD(8)
                             LOAD(9) LOAD(10) LOAD(11) LOAD(12) LOAD(13) LOAD(14) LOAD(15)
                         :
                         : "r"(vectors));
#undef LOAD
    } else {
#define LOAD(n) "movdqa " #n "*32(%0), %%xmm" #n "\n"
        __asm__ volatile(LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7) LOAD(8)
                             LOAD(9) LOAD(10) LOAD(11) LOAD(12) LOAD(13) LOAD(14) LOAD(15)
                         :
                         : "r"(vectors));
#undef LOAD
    }
    if (wider) {
        __asm__ volatile(
            "vpbroadcastq %0, %%zmm17\n"
            "kmovw %1, %%k3\n"
            :
            : "r"(0x1cec04e0512f0011u), "r"(0x5a5a));
    }
    atomic_fetch_add(&started, 1);
    __asm__ volatile(
        "ldmxcsr %0\n"
        "fninit\n"
        "fldpi\n"
        "fld1\n"
        // rsp stays what it is: the stack is in use.
        "movabs $0x1cec0000000000b, %%rbx\n"
        "movabs $0x1cec0000000000c, %%rcx\n"
        "movabs $0x1cec0000000000d, %%rdx\n"
        "movabs $0x1cec00000000051, %%rsi\n"
        "movabs $0x1cec000000000d1, %%rdi\n"
        "movabs $0x1cec00000000008, %%r8\n"
        "movabs $0x1cec00000000009, %%r9\n"
        "movabs $0x1cec00000000010, %%r10\n"
        "movabs $0x1cec00000000011, %%r11\n"
        "movabs $0x1cec00000000012, %%r12\n"
        "movabs $0x1cec00000000013, %%r13\n"
        "movabs $0x1cec00000000014, %%r14\n"
        "movabs $0x1cec00000000015, %%r15\n"
        "movabs $0x1cec00000000bb0, %%rbp\n"
        "movabs $0x1cec0000000000a, %%rax\n"
        "1: pause\n"
        "jmp 1b\n"
        :
        : "m"(mxcsr));
    return NULL;
}

static void* sleeps(void* argument) {
    (void)argument;
    prctl(PR_SET_NAME, "sleeper");
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGWINCH);
    sigaddset(&blocked, SIGRTMIN + 3);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    pthread_kill(pthread_self(), SIGUSR1);
    // Some time, of the user's kind and of the kernel's.
    struct timespec used;
    do {
        for (int i = 0; i < 100; ++i)
            (void)syscall(SYS_getppid);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    } while (used.tv_sec == 0 && used.tv_nsec < 250000000);
    say("errno", (uint64_t)(uintptr_t)&errno);
    say("sleeper", (uint64_t)syscall(SYS_gettid));
    errno = EXDEV;
    atomic_fetch_add(&started, 1);
    for (;;)
        pause();
    return NULL;
}

// ucontext of the handler: where the registers of the interrupted function are.
__attribute__((noinline)) static void stays(const ucontext_t* context) {
    say("context", (uint64_t)(uintptr_t)context);
    say("interrupted", (uint64_t)context->uc_mcontext.gregs[REG_RIP]);
    ready();
    for (;;)
        pause();
}

static void in_handler(int signal, siginfo_t* info, void* context) {
    (void)signal, (void)info;
    stays(context);
}

static void handle(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(signal, &action, NULL);
}

// The work that the signal interrupts: at an instruction that cannot do.
__attribute__((noinline)) static long at_work(long a, volatile long b) {
    register uint64_t magic __asm__("rbx") = 0x1cec04e5ca1ab1eu;
    __asm__ volatile("idivq %2" : "+a"(a) : "d"(0L), "r"(b), "r"(magic));
    return a;
}

__attribute__((noinline)) static long asks_for_work(long a) {
    return at_work(a, 0) + 1;
}

static void on_alternate_stack(void) {
    stack_t stack;
    memset(&stack, 0, sizeof stack);
    stack.ss_size = 65536;
    stack.ss_sp = malloc(stack.ss_size);
    sigaltstack(&stack, NULL);
}

static volatile uintptr_t vdso_begin, vdso_end;  // the handler reads them

static void in_vdso(int signal, siginfo_t* info, void* context) {
    (void)signal, (void)info;
    const uintptr_t at = (uintptr_t)((const ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
    if (at >= vdso_begin && at < vdso_end) stays(context);
}

__attribute__((noinline)) static long asks_the_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_nsec;
}

static void tick(void) {
    vdso_begin = (uintptr_t)getauxval(AT_SYSINFO_EHDR);
    vdso_end = vdso_begin + 8192;  // code of its own and nobody else's
    handle(SIGALRM, in_vdso, 0);
    const struct itimerval often = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &often, NULL);
    volatile long sum = 0;
    for (;;)
        sum += asks_the_time();
}

int main(int count, char** arguments) {
    const char* what = count > 1 ? arguments[1] : "";
    // It does not rest: whatever becomes of who started it, it must not go on.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(what, "registers") == 0) {
        pthread_t first, second;
        if (pthread_create(&first, NULL, sleeps, NULL) != 0) return 2;
        if (pthread_create(&second, NULL, turns, NULL) != 0) return 2;
        while (atomic_load(&started) < 2)
            usleep(1000);
        say("leader", (uint64_t)(uintptr_t)&errno);
        ready();
        errno = ENOTTY;
        for (;;)
            pause();
    } else if (strcmp(what, "handler") == 0) {
        handle(SIGFPE, in_handler, 0);
        return (int)asks_for_work(count);
    } else if (strcmp(what, "alternate") == 0) {
        on_alternate_stack();
        handle(SIGFPE, in_handler, SA_ONSTACK);
        return (int)asks_for_work(count);
    } else if (strcmp(what, "vdso") == 0) {
        tick();
    }
    return 1;
}
