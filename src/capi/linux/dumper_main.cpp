// icecore-dumper: dumps the process that started it. Not for people: see own_process.cpp.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <new>

#include "capi/linux/dumper_protocol.h"

int main() {
    using namespace icecore;
    using namespace icecore::capi;
    DumpRequest request;
    ssize_t got = 0;
    do
        got = ::recv(dumperSocket, &request, sizeof request, 0);
    while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(sizeof request)) {
        (void)std::fputs("icecore-dumper is started by icecore's libraries, not by hand\n", stderr);
        return 2;
    }
    // A destination that breaks is an error to report.
    (void)std::signal(SIGPIPE, SIG_IGN);
    request.descriptor = dumperOutput;
    DumperAnswer answer;
    try {
        SilentProgress progress;
        const auto result = writeDump(request, progress);
        answer.done = result.has_value();
        if (result) {
            answer.outcome = *result;
        } else {
            answer.code = result.error().code;
            result.error().describe().copy(answer.message.data(), answer.message.size() - 1);
        }
    } catch (const std::bad_alloc&) {
        answer.code = Errc::limit;
    }
    (void)::send(dumperSocket, &answer, sizeof answer, MSG_NOSIGNAL);
    return 0;
}
