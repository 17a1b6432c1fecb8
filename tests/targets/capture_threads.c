// Threads in the ways its first argument names; says "ready" and waits until its standard input
// ends.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int started;

static pthread_t spawn(void* (*run)(void*), void* argument, size_t stack) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack);
    if (pthread_create(&thread, &attributes, run, argument) != 0) {
        perror("pthread_create");
        exit(2);
    }
    return thread;
}

static void* sleeper(void* argument) {
    (void)argument;
    atomic_fetch_add(&started, 1);
    for (;;)
        pause();
    return NULL;
}

static void many(int count) {
    for (int i = 0; i < count; ++i)
        spawn(sleeper, NULL, 16384);
    while (atomic_load(&started) < count)
        usleep(1000);
}

// Each thread makes the next one and ends: their ids change all the time.
static void* shortLived(void* argument) {
    pthread_detach(pthread_self());
    pthread_t next;
    while (pthread_create(&next, NULL, shortLived, argument) != 0)
        usleep(100);
    return NULL;
}

static void churn(int chains) {
    for (int i = 0; i < chains; ++i)
        spawn(shortLived, NULL, 16384);
}

// Counts in a register nobody else has, so that a dump can be compared with a known value.
static void* named(void* argument) {
    prctl(PR_SET_NAME, "known-thread");
    printf("tid %ld\n", syscall(SYS_gettid));
    printf("tls 0x%zx\n", (size_t)pthread_self());
    fflush(stdout);
    atomic_fetch_add(&started, 1);
    register uint64_t magic __asm__("rbx") = 0x1cec04e5ca1ab1eu;
    __asm__ volatile("movq %0, %%xmm7\n1: pause\n jmp 1b\n" : : "r"(magic) : "xmm7");
    return argument;
}

// The leader ends; another thread goes on and answers.
static void* survivor(void* argument) {
    (void)argument;
    puts("ready");
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    exit(0);
}

// A thread in vfork waits for its child in the kernel, uninterruptibly (state D).
static void* forker(void* argument) {
    (void)argument;
    printf("tid %ld\n", syscall(SYS_gettid));
    fflush(stdout);
    atomic_fetch_add(&started, 1);
    if (vfork() == 0) {
        // Shares our memory and stops us: until standard input ends.
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
        _exit(0);
    }
    for (;;)
        pause();
}

// Watches the clock: the longest time that it saw nothing of it is what the target saw of a pause.
static atomic_ulong longestGap;
static void* watcher(void* argument) {
    (void)argument;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t last = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    atomic_fetch_add(&started, 1);
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t at = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        if (at - last > atomic_load(&longestGap)) atomic_store(&longestGap, at - last);
        last = at;
    }
}

int main(int count, char** arguments) {
    const char* what = count > 1 ? arguments[1] : "";
    const int number = count > 2 ? atoi(arguments[2]) : 0;
    if (strcmp(what, "many") == 0)
        many(number);
    else if (strcmp(what, "churn") == 0)
        churn(number);
    else if (strcmp(what, "named") == 0) {
        spawn(named, NULL, 65536);
        while (atomic_load(&started) == 0)
            usleep(1000);
    } else if (strcmp(what, "leader-ends") == 0) {
        spawn(survivor, NULL, 65536);
        pthread_exit(NULL);
    } else if (strcmp(what, "vfork") == 0) {
        spawn(forker, NULL, 65536);
        while (atomic_load(&started) == 0)
            usleep(1000);
        puts("ready");
        fflush(stdout);
        for (;;)
            pause();
    } else if (strcmp(what, "watch") == 0) {
        spawn(watcher, NULL, 65536);
        while (atomic_load(&started) == 0)
            usleep(1000);
        puts("ready");
        fflush(stdout);
        // For each byte: how long the longest gap was since the last one.
        char byte;
        while (read(0, &byte, 1) > 0) {
            printf("%lu\n", atomic_exchange(&longestGap, 0));
            fflush(stdout);
        }
        return 0;
    } else {
        return 1;
    }
    puts("ready");
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}
