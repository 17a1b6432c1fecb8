// Does one thing at a time, as its standard input says, and answers "ok": what the tests of events
// watch. A line is a command and its argument.
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "../support/xorshift.h"

namespace {

std::atomic<int> handled{0};
std::atomic<int> lastCode{0};

void handler(int, siginfo_t* info, void*) {
    ++handled;
    lastCode = info->si_value.sival_int;
}

void handle(int number) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(number, &action, nullptr);
}

namespace shop {
/// Its what() is its own, and its std::exception does not lie at its beginning.
struct Tagged {
    virtual ~Tagged() = default;
    int tag = 7;
};
struct EmptyShelf : Tagged, std::exception {
    explicit EmptyShelf(std::string text) : text_(std::move(text)) {}
    const char* what() const noexcept override { return text_.c_str(); }
    std::string text_;
};
struct NoException {
    int value = 5;
};
}  // namespace shop

void throwOne(const std::string& kind, const std::string& text) {
    if (kind == "runtime") throw std::runtime_error(text);
    if (kind == "logic") throw std::out_of_range(text);
    if (kind == "system") throw std::system_error(ENOENT, std::generic_category(), text);
    if (kind == "alloc") throw std::bad_alloc();
    if (kind == "shelf") throw shop::EmptyShelf(text);
    if (kind == "int") throw 42;
    if (kind == "plain") throw shop::NoException{};
    if (kind == "string") throw std::string(text);
}

void caught(const std::string& kind, const std::string& text) {
    try {
        throwOne(kind, text);
    } catch (...) {
    }
}

void* library = nullptr;
volatile int* nowhere = nullptr;
volatile unsigned long burnt = 0;
void* volatile kept = nullptr;
sigjmp_buf beforeCrash;

/// "KIND TEXT" in two.
std::pair<std::string, std::string> halves(const std::string& text) {
    const std::size_t space = text.find(' ');
    if (space == std::string::npos) return {text, {}};
    return {text.substr(0, space), text.substr(space + 1)};
}

const std::map<std::string, std::function<void(const std::string&)>> commands = {
    {"handle", [](const std::string& text) { handle(std::atoi(text.c_str())); }},
    {"raise", [](const std::string& text) { raise(std::atoi(text.c_str())); }},
    {"thread-raise",
     [](const std::string& text) {
         std::thread([&] {
             syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), std::atoi(text.c_str()));
         }).join();
     }},
    {"handled",
     [](const std::string&) { std::printf("%d %d\n", handled.load(), lastCode.load()); }},
    {"throw",
     [](const std::string& text) {
         const auto [kind, what] = halves(text);
         caught(kind, what);
     }},
    {"throw-many",
     [](const std::string& text) {
         for (int i = std::atoi(text.c_str()); i > 0; --i)
             caught("runtime", "one of many");
     }},
    {"raise-many",
     [](const std::string& text) {
         for (int i = std::atoi(text.c_str()); i > 0; --i)
             raise(SIGUSR1);
     }},
    {"thread-throw",
     [](const std::string& text) {
         const auto [kind, what] = halves(text);
         std::thread([&] { caught(kind, what); }).join();
     }},
    {"masked-throw",
     [](const std::string& text) {
         sigset_t all;
         sigset_t before;
         sigset_t after;
         sigfillset(&all);
         pthread_sigmask(SIG_SETMASK, &all, &before);
         caught("runtime", text);
         pthread_sigmask(SIG_SETMASK, &before, &after);
         std::printf("%s\n", sigismember(&after, SIGTRAP) == 1 ? "still blocked" : "unblocked");
     }},
    {"uncaught",
     [](const std::string& text) {
         const auto [kind, what] = halves(text);
         throwOne(kind, what);
     }},
    {"load", [](const std::string& text) { library = dlopen(text.c_str(), RTLD_NOW); }},
    {"unload",
     [](const std::string&) {
         if (library == nullptr || dlclose(library) != 0) std::puts("nothing unloaded");
         library = nullptr;
     }},
    {"thread", [](const std::string&) { std::thread([] {}).join(); }},
    {"threads",
     [](const std::string& text) {
         for (int i = std::atoi(text.c_str()); i > 0; --i)
             std::thread([] {}).join();
     }},
    {"fork",
     [](const std::string&) {
         const pid_t child = fork();
         if (child == 0) {
             caught("runtime", "in the child");
             _exit(0);
         }
         int status = 0;
         waitpid(child, &status, 0);
         std::printf("child %d\n", status);
     }},
    {"epoll",
     [](const std::string&) {
         // SIGCHLD comes in the middle, and is ignored: nobody may notice.
         const int poll = epoll_create1(0);
         epoll_event event{};
         const pid_t child = fork();
         if (child == 0) {
             usleep(200'000);
             _exit(0);
         }
         const int got = epoll_wait(poll, &event, 1, 600);
         std::printf("epoll %d %s\n", got, got < 0 ? std::strerror(errno) : "");
         close(poll);
         waitpid(child, nullptr, 0);
     }},
    {"print", [](const std::string& text) { std::printf("%s\n", text.c_str()); }},
    {"syslog", [](const std::string& text) { syslog(LOG_INFO, "%s", text.c_str()); }},
    {"burn",
     [](const std::string&) {
         std::thread([] {
             for (;;)
                 burnt = burnt + 1;
         }).detach();
     }},
    {"memory",
     [](const std::string& text) {
         const std::size_t size = std::strtoull(text.c_str(), nullptr, 10) << 20;
         // Touched, but zero: it counts, and costs no disk.
         auto* bytes = static_cast<volatile char*>(std::malloc(size));
         for (std::size_t at = 0; bytes != nullptr && at < size; at += 4096)
             bytes[at] = 0;
     }},
    {"random",
     [](const std::string& text) {
         const std::size_t words = std::strtoull(text.c_str(), nullptr, 10) << 17;
         auto* at = static_cast<unsigned long*>(std::malloc(words * 8));
         icecore::tests::Xorshift random;
         kept = at;
         for (std::size_t i = 0; at != nullptr && i < words; ++i)
             at[i] = random.next();
     }},
    {"handles",
     [](const std::string& text) {
         const auto count = static_cast<rlim_t>(std::atoi(text.c_str()));
         const rlimit limit{count + 100, count + 100};
         setrlimit(RLIMIT_NOFILE, &limit);
         for (rlim_t i = 0; i < count; ++i)
             (void)!dup(0);
     }},
    {"log", [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }},
    {"exec", [](const std::string&) { execl("/proc/self/exe", "events", nullptr); }},
    {"exit", [](const std::string& text) { std::exit(std::atoi(text.c_str())); }},
    {"crash", [](const std::string&) { *nowhere = 1; }},
    {"survive-crash",
     [](const std::string&) {
         struct sigaction action{};
         action.sa_handler = [](int) { siglongjmp(beforeCrash, 1); };
         sigaction(SIGSEGV, &action, nullptr);
         if (sigsetjmp(beforeCrash, 1) == 0) *nowhere = 1;
     }},
    {"churn",
     [](const std::string& text) {
         for (int i = std::atoi(text.c_str()); i > 0; --i) {
             std::thread([] {
                 for (;;)
                     std::thread([] { usleep(500); }).join();
             }).detach();
         }
     }},
    {"thread-crash", [](const std::string&) { std::thread([] { *nowhere = 1; }).join(); }},
    {"abort", [](const std::string&) { std::abort(); }},
    {"park",
     [](const std::string& text) {
         for (int i = std::atoi(text.c_str()); i > 0; --i)
             std::thread([] { pause(); }).detach();
     }},
};

}  // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::puts("ready");
    char line[4096];
    while (std::fgets(line, sizeof line, stdin) != nullptr) {
        line[std::strcspn(line, "\n")] = '\0';
        const auto [name, argument] = halves(line);
        const auto command = commands.find(name);
        if (command == commands.end()) {
            std::puts("unknown");
            continue;
        }
        command->second(argument);
        std::puts("ok");
    }
    return 0;
}
