// The program of `make demo`: a few named threads at work, one of which follows a null pointer.
//
//   crasher          dies of it
//   crasher --wait   catches the signal as many programs do, prints "crashed" and stands still, so
//                    that somebody can look at it

#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace shop {

struct Order {
    int id = 0;
    const char* customer = nullptr;
    Order* next = nullptr;
};

std::mutex mutex;
std::condition_variable arrival;
bool open = true;

void name_this_thread(const std::string& name) {
    pthread_setname_np(pthread_self(), name.c_str());
}

// Waits for orders that never come.
void serve(int desk) {
    name_this_thread("desk-" + std::to_string(desk));
    std::unique_lock lock(mutex);
    arrival.wait(lock, [] { return !open; });
}

__attribute__((noinline)) int sum_of_ids(const Order* order) {
    int sum = 0;
    while (order->id != 0) {  // the list has no end mark: the crash
        sum += order->id;
        order = order->next;
    }
    return sum;
}

__attribute__((noinline)) int close_books(int day) {
    Order second{2, "Ada", nullptr};
    Order first{1, "Grace", &second};
    // Through a volatile: a compiler that sees the whole list sees the null pointer too, and may
    // then leave the crash out.
    const Order* volatile head = &first;
    return sum_of_ids(head) + day;
}

void audit() {
    name_this_thread("auditor");
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::printf("books closed: %d\n", close_books(7));
}

}  // namespace shop

void wait_for_a_visitor(int, siginfo_t*, void*) {
    (void)!write(STDOUT_FILENO, "crashed\n", 8);
    for (;;)
        pause();
}

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "--wait") {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
        struct sigaction action{};
        action.sa_sigaction = wait_for_a_visitor;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGSEGV, &action, nullptr);
    }
    std::vector<std::thread> threads;
    for (int desk = 1; desk <= 3; ++desk)
        threads.emplace_back(shop::serve, desk);
    threads.emplace_back(shop::audit);
    for (auto& thread : threads)
        thread.join();
}
