// Processes that stand still, healthy or not.

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

std::mutex first, second, never;
std::condition_variable condition;
std::atomic<int> holders{0};

void name(const char* text) {
    pthread_setname_np(pthread_self(), text);
}

}  // namespace

extern "C" {

__attribute__((noinline)) void take_second() {
    second.lock();
    second.unlock();
}
__attribute__((noinline)) void take_first() {
    first.lock();
    first.unlock();
}

}  // extern "C"

namespace {

void announce() {
    std::puts("ready");
    std::fflush(stdout);
}

// Each thread holds one lock before either asks for the other's.
void meet() {
    ++holders;
    while (holders.load() < 2)
        std::this_thread::yield();
}

int deadlock() {
    std::thread left([] {
        name("left");
        std::lock_guard lock(first);
        meet();
        take_second();
    });
    std::thread right([] {
        name("right");
        std::lock_guard lock(second);
        meet();
        take_first();
    });
    announce();
    left.join();
    right.join();
    return 0;
}

int sleepers() {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            name("sleeper");
            std::unique_lock lock(never);
            condition.wait(lock, [] { return false; });
        });
    }
    announce();
    for (;;)
        pause();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc == 2 ? argv[1] : "";
    return what == "deadlock" ? deadlock() : sleepers();
}
