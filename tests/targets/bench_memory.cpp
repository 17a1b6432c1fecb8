// A process of a given size that watches the clock: what the capture benchmarks dump.
//
//   bench_memory MIB THREADS FILL [clock]
//
// FILL: random (no byte repeats), zero90 (nine of ten pages are resident and zero), mixed (zeros,
// text-like and random pages, as heaps have them). All of it at 4 KiB pages. It prints
// "ready RESIDENT_KIB" and obeys lines on standard input, each answered by one line:
//
//   touch  writes to every page (what it holds already), so that none is shared with a former clone
//   reset  forgets the gaps
//   gaps   LONGEST_NS SUM_NS: the longest time in which the clock thread did not run, and the sum
//          of all above a millisecond (0 0 without "clock")
//   fork   NS that a bare fork of this very process takes, as its caller sees it

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>

#include "../support/xorshift.h"

namespace {

using icecore::tests::Xorshift;

constexpr std::size_t pageSize = 4096;

std::int64_t now() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

void fillRandom(char* page, Xorshift& random) {
    for (std::size_t i = 0; i < pageSize; i += 8) {
        const std::uint64_t value = random.next();
        std::memcpy(page + i, &value, 8);
    }
}

/// Like a heap of small objects: pointers that share their upper bytes, small numbers, words.
void fillObjects(char* page, Xorshift& random) {
    for (std::size_t i = 0; i < pageSize; i += 32) {
        const std::uint64_t roll = random.next();
        const std::uint64_t object[4] = {0x00007f3a10000000 + (roll & 0xffffff0), roll >> 60,
                                         0x6c616d72656e0000 + (roll >> 52), 0};
        std::memcpy(page + i, object, sizeof object);
    }
}

void fill(char* memory, std::size_t bytes, std::string_view how) {
    Xorshift random;
    for (std::size_t at = 0; at < bytes; at += pageSize) {
        char* page = memory + at;
        const std::uint64_t roll = random.next() % 10;
        if (how == "random" || (how == "zero90" && roll == 0) || (how == "mixed" && roll >= 8)) {
            fillRandom(page, random);
        } else if (how == "mixed" && roll >= 3) {
            fillObjects(page, random);
        } else {
            std::memset(page, 0, pageSize);
            // The compiler must not take the store away: the page is to be resident.
            asm volatile("" : : "r"(page) : "memory");
        }
    }
}

class Clock {
public:
    void run() {
        // Preferred to the rest of the machine, so that a gap is a pause and not someone's turn.
        setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), -10);
        std::int64_t last = now();
        for (;;) {
            const std::int64_t time = now();
            const std::int64_t gap = time - last;
            last = time;
            if (resets_.load(std::memory_order_acquire) != seen_.load(std::memory_order_relaxed)) {
                longest_ = 0;
                sum_ = 0;
                seen_.fetch_add(1, std::memory_order_release);
                continue;
            }
            if (gap > longest_.load(std::memory_order_relaxed)) longest_ = gap;
            if (gap > 1'000'000) sum_ += gap;
        }
    }
    void reset() {
        const int target = ++resets_;
        while (seen_.load(std::memory_order_acquire) != target)
            sched_yield();
    }
    std::int64_t longest() const { return longest_; }
    std::int64_t sum() const { return sum_; }

private:
    std::atomic<std::int64_t> longest_ = 0, sum_ = 0;
    std::atomic<int> resets_ = 0, seen_ = 0;
};

void* waitForever(void*) {
    for (;;)
        pause();
}

bool startThreads(int count) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    for (int i = 0; i < count; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, waitForever, nullptr) != 0) return false;
    }
    return true;
}

std::int64_t timedFork() {
    const std::int64_t start = now();
    const pid_t child = fork();
    if (child == 0) _exit(0);
    const std::int64_t end = now();
    if (child < 0) return -1;
    waitpid(child, nullptr, 0);
    return end - start;
}

long residentKib() {
    long pages = 0, resident = 0;
    if (FILE* file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
        std::fclose(file);
    }
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    const std::size_t bytes = std::strtoull(argv[1], nullptr, 10) << 20;
    const int threads = std::atoi(argv[2]);
    const bool watch = argc > 4 && std::string_view(argv[4]) == "clock";

    void* mapped = mmap(nullptr, std::max(bytes, pageSize), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return 1;
    madvise(mapped, bytes, MADV_NOHUGEPAGE);
    char* memory = static_cast<char*>(mapped);
    fill(memory, bytes, argv[3]);
    if (!startThreads(threads)) return 1;

    static Clock clock;
    if (watch) {
        pthread_t thread;
        const auto run = [](void*) -> void* {
            clock.run();
            return nullptr;
        };
        if (pthread_create(&thread, nullptr, run, nullptr) != 0) return 1;
    }

    std::cout << "ready " << residentKib() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "touch") {
            for (std::size_t at = 0; at < bytes; at += pageSize) {
                volatile char* byte = memory + at;
                *byte = *byte;
            }
            std::cout << "touched" << std::endl;
        } else if (line == "reset") {
            if (watch) clock.reset();
            std::cout << "reset" << std::endl;
        } else if (line == "gaps") {
            std::cout << clock.longest() << ' ' << clock.sum() << std::endl;
        } else if (line == "fork") {
            std::cout << timedFork() << std::endl;
        } else {
            std::cout << "what?" << std::endl;
        }
    }
    // Without the destructors: other threads still run.
    _exit(0);
}
