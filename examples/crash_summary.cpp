// What happened in a dump, and where: crash_summary FILE
#include <cstdio>
#include <icecore/icecore.hpp>

int main(int count, char** arguments) {
    if (count != 2) {
        std::fprintf(stderr, "usage: %s FILE\n", arguments[0]);
        return 2;
    }
    try {
        const icecore::api::Dump dump(arguments[1]);
        for (const std::string& issue : dump.issues())
            std::fprintf(stderr, "warning: %s\n", issue.c_str());
        const auto exception = dump.exception();
        if (!exception) {
            std::printf("nothing had happened to %s\n", dump.process().name);
            return 0;
        }
        std::printf("code %u in thread %llu\n", static_cast<unsigned>(exception->code),
                    static_cast<unsigned long long>(exception->thread_id));
        const auto threads = dump.threads();
        for (std::size_t i = 0; i < threads.size(); ++i) {
            if (threads[i].id != exception->thread_id) continue;
            const auto stack = dump.walk(i);
            for (std::size_t f = 0; f < stack.size(); ++f)
                std::printf("  %s!%s\n", stack[f].module, stack[f].function);
        }
    } catch (const icecore::api::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
