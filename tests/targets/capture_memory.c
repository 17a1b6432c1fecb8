// Maps memory in the way its first argument names, prints where, says "ready", and waits until its
// standard input ends. What it wrote can be told by `pattern`.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum { page = 4096 };

// The 64-bit word at each address tells the address: a page that ends up in the wrong place shows.
static void pattern(void* at, size_t size) {
    uint64_t* word = at;
    for (size_t i = 0; i < size / 8; ++i)
        word[i] = (uint64_t)(uintptr_t)&word[i] ^ 0x1cec04e000000000u;
}

static void* map(size_t size, int flags, int fd) {
    void* at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return at;
}
static void* anonymous(size_t size) {
    return map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}
static void place(const char* key, const void* at) {
    printf("%s 0x%zx\n", key, (size_t)at);
}

static void plain(void) {
    char* at = anonymous(64 * page);
    pattern(at, 16 * page);
    pattern(at + 32 * page, page);
    place("plain", at);
}

static void guards(void) {
    char* at = anonymous(64 * page);
    pattern(at, 64 * page);
    int ok = madvise(at + 8 * page, page, MADV_GUARD_INSTALL) == 0 &&
             madvise(at + 40 * page, 2 * page, MADV_GUARD_INSTALL) == 0;
    place("guards", at);
    printf("supported %d\n", ok);
}

// 64 MiB of which two pages are written, one of them not mapped (pwrite).
static void sparseMemfd(int shared) {
    int fd = memfd_create("sparse", 0);
    size_t size = 64u << 20;
    if (ftruncate(fd, (off_t)size) != 0) exit(2);
    char* at = map(size, shared ? MAP_SHARED : MAP_PRIVATE, fd);
    if (shared) pattern(at + 5 * page, page);
    uint64_t words[page / 8];
    for (size_t i = 0; i < page / 8; ++i)
        words[i] = ((uint64_t)(uintptr_t)(at + 1000 * page) + i * 8) ^ 0x1cec04e000000000u;
    if (pwrite(fd, words, page, 1000 * page) != page) exit(2);
    place("memfd", at);
    printf("fd %d\n", fd);
}

static void sharedAnonymous(void) {
    size_t size = 64u << 20;
    char* at = map(size, MAP_SHARED | MAP_ANONYMOUS, -1);
    pattern(at + 7 * page, page);
    // Written, then thrown out of the page tables: it is still there, but shows as absent.
    pattern(at + 2000 * page, page);
    if (madvise(at + 2000 * page, page, MADV_DONTNEED) != 0) exit(2);
    place("shmem", at);
}

static void systemV(void) {
    int id = shmget(IPC_PRIVATE, 1u << 20, IPC_CREAT | 0600);
    char* at = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    pattern(at + 3 * page, page);
    place("sysv", at);
}

static void advised(void) {
    char* dump = anonymous(16 * page);
    char* fork = anonymous(16 * page);
    char* wipe = anonymous(16 * page);
    char* wipeUntouched = anonymous(16 * page);
    pattern(dump, 16 * page);
    pattern(fork, 16 * page);
    pattern(wipe, 4 * page);
    if (madvise(dump, 16 * page, MADV_DONTDUMP) != 0 ||
        madvise(fork, 16 * page, MADV_DONTFORK) != 0 ||
        madvise(wipe, 16 * page, MADV_WIPEONFORK) != 0 ||
        madvise(wipeUntouched, 16 * page, MADV_WIPEONFORK) != 0)
        exit(2);
    place("dontdump", dump);
    place("dontfork", fork);
    place("wipeonfork", wipe);
    place("wipe_untouched", wipeUntouched);
}

static void terabyte(void) {
    size_t size = (size_t)1 << 40;
    char* at = map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    for (size_t i = 0; i < 64; ++i)
        pattern(at + i * (size / 64), page);
    place("terabyte", at);
}

// A file whose end lies in the middle of its mapping, and one page of it changed privately.
static void fileMapping(const char* path) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char bytes[3 * page + 100];
    for (size_t i = 0; i < sizeof bytes; ++i)
        bytes[i] = (char)(i / 64 + 1);
    if (write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes) exit(2);
    char* at = map(16 * page, MAP_PRIVATE, fd);
    at[page] = 'X';
    place("file", at);
    close(fd);
    unlink(path);
}

static void noAccess(void) {
    char* at = anonymous(16 * page);
    pattern(at, 16 * page);
    if (mprotect(at + 4 * page, 8 * page, PROT_NONE) != 0) exit(2);
    place("none", at);
}

static void manyMappings(size_t count) {
    // Every second page has another protection, so that nothing is merged.
    char* at = anonymous(count * page);
    for (size_t i = 0; i < count; i += 2) {
        if (mprotect(at + i * page, page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
            perror("mprotect");
            exit(3);
        }
        if (i % 64 == 0) pattern(at + i * page, page);
    }
    place("many", at);
}

static void resident(size_t megabytes) {
    char* at = anonymous(megabytes << 20);
    madvise(at, megabytes << 20, MADV_NOHUGEPAGE);
    pattern(at, megabytes << 20);
    place("resident", at);
}

int main(int count, char** arguments) {
    for (int i = 1; i < count; ++i) {
        const char* what = arguments[i];
        if (strcmp(what, "plain") == 0)
            plain();
        else if (strcmp(what, "guards") == 0)
            guards();
        else if (strcmp(what, "memfd") == 0)
            sparseMemfd(1);
        else if (strcmp(what, "private-memfd") == 0)
            sparseMemfd(0);
        else if (strcmp(what, "shmem") == 0)
            sharedAnonymous();
        else if (strcmp(what, "sysv") == 0)
            systemV();
        else if (strcmp(what, "advised") == 0)
            advised();
        else if (strcmp(what, "terabyte") == 0)
            terabyte();
        else if (strcmp(what, "file") == 0)
            fileMapping(arguments[++i]);
        else if (strcmp(what, "none") == 0)
            noAccess();
        else if (strcmp(what, "many") == 0)
            manyMappings(strtoul(arguments[++i], NULL, 10));
        else if (strcmp(what, "resident") == 0)
            resident(strtoul(arguments[++i], NULL, 10));
        else
            return 1;
    }
    puts("ready");
    fflush(stdout);
    // Not getchar: it would allocate its buffer now.
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}
