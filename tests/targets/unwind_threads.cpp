// Threads that wait in every usual way, then one of them crashes: `unwind_threads [THREADS]`.
// With a number: that many threads more, each waiting below a few frames of its own.

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#define AT extern "C" __attribute__((noinline, used))
#define KEEP asm volatile("" ::: "memory")

namespace {
std::mutex locked, forCondition;
std::condition_variable condition;
std::mutex idsMutex;
std::vector<pid_t> ids;
int pipeEnds[2];

void here() {
    const std::scoped_lock lock(idsMutex);
    ids.push_back(gettid());
}

bool asleep(pid_t id) {
    std::ifstream file("/proc/self/task/" + std::to_string(id) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name = text.rfind(')');
    return name != std::string::npos && text.size() > name + 2 && text[name + 2] == 'S';
}
}  // namespace

AT void at_wait_mutex() {
    locked.lock();
    KEEP;
}
AT void at_wait_condition() {
    std::unique_lock lock(forCondition);
    condition.wait(lock);
    KEEP;
}
AT void at_wait_read() {
    char byte;
    if (read(pipeEnds[0], &byte, 1) == 1) std::abort();
    KEEP;
}
AT void at_wait_sleep() {
    timespec time{10000, 0};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
    KEEP;
}
AT void at_deeper(int depth) {
    if (depth == 0)
        at_wait_condition();
    else
        at_deeper(depth - 1);
    KEEP;
}

int main(int argc, char** argv) {
    if (pipe(pipeEnds) != 0) return 1;
    locked.lock();
    std::vector<std::thread> threads;
    threads.emplace_back([] { here(), at_wait_mutex(); });
    threads.emplace_back([] { here(), at_wait_condition(); });
    threads.emplace_back([] { here(), at_wait_read(); });
    threads.emplace_back([] { here(), at_wait_sleep(); });
    const int more = argc > 1 ? std::atoi(argv[1]) : 0;
    for (int i = 0; i < more; ++i)
        threads.emplace_back([i] { here(), at_deeper(i % 10); });

    const auto allAsleep = [&] {
        const std::scoped_lock lock(idsMutex);
        if (ids.size() != threads.size()) return false;
        for (const pid_t id : ids) {
            if (!asleep(id)) return false;
        }
        return true;
    };
    while (!allAsleep())
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::abort();
}
