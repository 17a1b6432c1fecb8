// icecore-dumper: dumps the process that started it. Not for people: see own_process.cpp.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <new>

#include "capi/linux/dumper_protocol.h"

namespace {

template <class T>
ssize_t receive(T& packet) {
    ssize_t got = 0;
    do
        got = ::recv(icecore::capi::dumperSocket, &packet, sizeof packet, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

}  // namespace

int main() {
    using namespace icecore;
    using namespace icecore::capi;
    DumpRequest request;
    if (receive(request) != static_cast<ssize_t>(sizeof request)) {
        (void)std::fputs("icecore-dumper is started by icecore's libraries, not by hand\n", stderr);
        return 2;
    }
    // A destination that breaks is an error to report.
    (void)std::signal(SIGPIPE, SIG_IGN);
    request.descriptor = dumperOutput;
    const Ask ask = [](const CallbackQuestion& question) -> Result<CallbackAnswer> {
        CallbackAnswer said;
        if (::send(dumperSocket, &question, sizeof question, MSG_NOSIGNAL) < 0 ||
            receive(said) != static_cast<ssize_t>(sizeof said))
            return fail(Errc::target_gone, "the process that wanted its dump does not answer");
        return said;
    };
    DumperAnswer answer;
    try {
        SilentProgress progress;
        const auto result = writeDump(request, progress, request.askedInTarget ? &ask : nullptr);
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
