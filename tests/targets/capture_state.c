// Checks on itself: whatever a dump of it might disturb, it would notice. Its first argument names
// what it does; at the end of its standard input it says "ok", or what went wrong.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_int started;
static char complaint[256];

static void complain(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (complaint[0] == 0) vsnprintf(complaint, sizeof complaint, format, arguments);
    va_end(arguments);
}

static void spawn(void* (*run)(void*)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0) exit(2);
    while (atomic_exchange(&started, 0) == 0)
        usleep(500);
}
static void begin(void) {
    atomic_store(&started, 1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// System calls that a careless tracer breaks off: each must return what it would have anyway.

static void* sleeps(void* none) {
    begin();
    for (;;) {
        struct timespec half = {0, 50000000};
        uint64_t before = now();
        if (nanosleep(&half, NULL) != 0) complain("nanosleep: %s", strerror(errno));
        if (now() - before < 50000000u) complain("nanosleep came back too early");
    }
    return none;
}
static int pipeEnds[2];
static void* reads(void* none) {
    begin();
    char byte;
    ssize_t got = read(pipeEnds[0], &byte, 1);
    complain("read: %zd %s", got, strerror(errno));
    return none;
}
static int futexWord;
static void* waits(void* none) {
    begin();
    long got = syscall(SYS_futex, &futexWord, FUTEX_WAIT, 0, NULL);
    complain("futex: %ld %s", got, strerror(errno));
    return none;
}
static void* waitsAwhile(void* none) {
    begin();
    struct timespec long_ = {1000, 0};
    long got = syscall(SYS_futex, &futexWord, FUTEX_WAIT, 0, &long_);
    complain("futex with time-out: %ld %s", got, strerror(errno));
    return none;
}
static void* polls(void* none) {
    int epoll = epoll_create1(0);
    begin();
    struct epoll_event event;
    int got = epoll_wait(epoll, &event, 1, -1);
    complain("epoll_wait: %d %s", got, strerror(errno));
    return none;
}
static void* semaphore(void* none) {
    int id = semget(IPC_PRIVATE, 1, 0600);
    struct sembuf down = {0, -1, 0};
    begin();
    int got = semop(id, &down, 1);
    if (errno != EIDRM) complain("semop: %d %s", got, strerror(errno));
    return none;
}
static void* awaitsSignal(void* none) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    begin();
    int got = sigwaitinfo(&set, NULL);
    complain("sigwaitinfo: %d %s", got, strerror(errno));
    return none;
}
static void* receives(void* none) {
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    struct timeval limit = {1000, 0};
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    begin();
    char byte;
    ssize_t got = recv(ends[0], &byte, 1, 0);
    complain("recv with time-out: %zd %s", got, strerror(errno));
    return none;
}
static void* suspends(void* none) {
    sigset_t set;
    sigfillset(&set);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    begin();
    int got = sigsuspend(&set);
    complain("sigsuspend: %d %s", got, strerror(errno));
    return none;
}
static void* computes(void* none) {
    // Registers and vectors must be what they were: a checksum that never changes.
    begin();
    for (;;) {
        double sum = 0;
        uint64_t mixed = 1;
        for (int i = 1; i < 20000; ++i) {
            sum += 1.0 / i;
            mixed = mixed * 6364136223846793005u + (uint64_t)i;
        }
        static double firstSum;
        static uint64_t firstMixed;
        if (firstMixed == 0) {
            firstSum = sum;
            firstMixed = mixed;
        }
        if (sum != firstSum || mixed != firstMixed) complain("a calculation went wrong");
    }
    return none;
}

static void calls(void) {
    if (pipe(pipeEnds) != 0) exit(2);
    spawn(sleeps);
    spawn(reads);
    spawn(waits);
    spawn(waitsAwhile);
    spawn(polls);
    spawn(semaphore);
    spawn(awaitsSignal);
    spawn(receives);
    spawn(suspends);
    spawn(computes);
}

// Signals with sequence numbers: none may be lost, doubled, or come out of order. Only one thread,
// so that it is this one that has to make the clone.

static volatile sig_atomic_t expected = 1;
static volatile sig_atomic_t wrong;
static void numbered(int signal, siginfo_t* info, void* context) {
    (void)signal;
    (void)context;
    if (info->si_value.sival_int != expected && wrong == 0) wrong = info->si_value.sival_int;
    if (info->si_code != SI_QUEUE) wrong = -1;
    expected = info->si_value.sival_int + 1;
}
static volatile sig_atomic_t children;
static void child(int signal) {
    (void)signal;
    children = children + 1;
}

static int signals(void) {
    struct sigaction action = {0};
    action.sa_sigaction = numbered;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGRTMIN + 1, &action, NULL);
    struct sigaction onChild = {0};
    onChild.sa_handler = child;
    onChild.sa_flags = SA_RESTART;
    sigaction(SIGCHLD, &onChild, NULL);
    puts("ready");
    fflush(stdout);
    char byte;
    ssize_t got;
    while ((got = read(0, &byte, 1)) > 0) {
        // Its own wait must know of no child, dead or alive.
        if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) complain("waitpid saw a child");
        printf("%d\n", (int)expected);
        fflush(stdout);
    }
    if (got < 0) complain("read: %s", strerror(errno));
    if (wrong != 0) complain("signal %d came when another was expected", (int)wrong);
    if (children != 0) complain("SIGCHLD came %d times", (int)children);
    // Dead children are seen with __WALL even if they send no signal.
    if (waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD)
        complain("a child was left behind");
    return 0;
}

// A filter that answers clone with `action`.
static void filterClone(uint32_t action) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // seccomp_data.nr
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        exit(2);
}

// Syscall User Dispatch: every system call from outside a range becomes SIGSYS, while the byte says
// so. Here it always says "let through".
static char selector = 0;
static void dispatch(void) {
    enum { PR_SET_SYSCALL_USER_DISPATCH_ = 59, on = 1 };
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH_, on, 0, 0, &selector) != 0) {
        puts("unsupported");
        exit(0);
    }
}

int main(int count, char** arguments) {
    const char* what = count > 1 ? arguments[1] : "";
    if (strcmp(what, "signals") == 0) {
        signals();
    } else if (strcmp(what, "calls") == 0) {
        calls();
        puts("ready");
        fflush(stdout);
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
    } else if (strcmp(what, "file") == 0) {
        // A position in a file, a mask, a pending signal: state that must stay as it is.
        int fd = open("/proc/self/exe", O_RDONLY);
        lseek(fd, 1234, SEEK_SET);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGRTMIN + 3);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGUSR1);
        kill(getpid(), SIGRTMIN + 3);
        printf("fd %d\nready\n", fd);
        fflush(stdout);
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
        if (lseek(fd, 0, SEEK_CUR) != 1234) complain("the file position moved");
    } else if (count > 2 && strcmp(what, "seccomp") == 0) {
        filterClone((uint32_t)strtoul(arguments[2], NULL, 0));
        puts("ready");
        fflush(stdout);
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
    } else if (strcmp(what, "dispatch") == 0) {
        dispatch();
        puts("ready");
        fflush(stdout);
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
    } else {
        return 1;
    }
    puts(complaint[0] != 0 ? complaint : "ok");
    return complaint[0] != 0;
}
