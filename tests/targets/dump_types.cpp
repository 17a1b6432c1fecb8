// Holds one recognisable thing for everything a dump's type may take or leave, prints where each
// is, says "ready" and waits until its standard input ends.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

constexpr std::size_t page = 4096;

std::uint64_t markerInData = 0x1cec04e0da7a0001;
std::uint64_t markerInBss;
thread_local std::uint64_t markerInTls = 0x1cec04e071500001;

__attribute__((noinline)) int markerInCode(int x) {
    return x * 7 + 3;
}

void* map(int protection, int flags, int fd = -1, std::size_t size = 4 * page) {
    void* at = mmap(nullptr, size, protection, flags, fd, 0);
    if (at == MAP_FAILED) std::exit(2);
    return at;
}

void place(const char* key, const void* at) {
    std::printf("%s 0x%zx\n", key, reinterpret_cast<std::size_t>(at));
}

std::uint64_t* marked(void* at, std::uint64_t value) {
    auto* word = static_cast<std::uint64_t*>(at);
    *word = value;
    return word;
}

/// A mapping of a file that is gone.
void mapDeleted(const char* path) {
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char content[page] = "deleted file";
    if (write(fd, content, sizeof content) != static_cast<ssize_t>(sizeof content)) std::exit(2);
    place("deleted", map(PROT_READ, MAP_PRIVATE, fd, page));
    close(fd);
    unlink(path);
}

/// On a thread of its own, so that nothing on a living stack remembers the library.
void loadUnreferenced() {
    std::thread([] {
        if (dlopen("libm.so.6", RTLD_NOW) == nullptr) std::exit(2);
    }).join();
}

__attribute__((noinline)) void waitWithSecret() {
    // What a filtered stack must not show, and a pointer that an indirect one must follow.
    volatile char secret[64] = "stack-secret-0123456789abcdef";
    void* volatile block = std::calloc(1, 8192);
    marked(static_cast<char*>(block) + 4096, 0x1cec04e04ea90002);  // beyond what is near
    marked(block, 0x1cec04e04ea90001);
    place("stack_secret", const_cast<char*>(secret));
    place("heap_near", block);
    place("heap_far", static_cast<char*>(block) + 4096);
    std::puts("ready");
    std::fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    if (secret[0] == 0 || block == nullptr) std::exit(3);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    mapDeleted(argv[1]);
    loadUnreferenced();
    markerInBss = 0x1cec04e0b5500001;
    place("private",
          marked(map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS), 0x1cec04e0b41f0001));
    place("shared",
          marked(map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS), 0x1cec04e054a4ed01));
    void* dontDump = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    marked(dontDump, 0x1cec04e0d0d0d001);
    madvise(dontDump, 4 * page, MADV_DONTDUMP);
    place("dontdump", dontDump);
    place("data", &markerInData);
    place("bss", &markerInBss);
    place("tls", &markerInTls);
    place("code", reinterpret_cast<const void*>(&markerInCode));
    place("environment", std::getenv("ICECORE_MARK"));
    const int fd = open("/proc/self/exe", O_RDONLY);
    place("shared_file", map(PROT_READ, MAP_SHARED, fd, page));
    lseek(fd, 123, SEEK_SET);
    std::printf("descriptor %d\n", fd);
    std::thread worker([] {
        pthread_setname_np(pthread_self(), "a worker");
        markerInTls = 0x1cec04e071500002;
        waitWithSecret();
    });
    worker.join();
    return markerInCode(0) == 3 ? 0 : 1;
}
