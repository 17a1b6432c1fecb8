// Lines of the command language over a made-up process: parser, evaluator and every command that
// touches no file. Each input is a few lines; what they print is dropped.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "debugger/completion.h"
#include "debugger/interpreter.h"
#include "debugger/synthetic_session.h"

namespace {

using namespace icecore::debugger;

/// Drops what is printed, and ends commands that print without end.
class Bounded final : public Output {
public:
    explicit Bounded(Session& session) : session_(session) {}
    void write(std::string_view text) override {
        written_ += text.size();
        if (written_ > 256 * 1024) session_.interrupt();
    }
    void restart() { written_ = 0; }

private:
    Session& session_;
    std::size_t written_ = 0;
};

/// Commands that write files, or read what the fuzzer's machine happens to hold.
bool touchesFiles(std::string_view line) {
    for (const std::string_view word :
         {".log", ".srcpath", ".sympath", ".symfix", ".reload", "ls", "$<", "$>", ".load", "/f"}) {
        if (line.find(word) != std::string_view::npos) return true;
    }
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 512) return 0;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto session = syntheticSession();
    session->commandLimit = 100;  // loops
    Bounded output(*session);
    Interpreter interpreter(*session, output);
    for (int line = 0; line < 4 && !text.empty() && !session->quit; ++line) {
        const std::size_t end = text.find('\n');
        const std::string_view command = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        if (touchesFiles(command)) continue;
        output.restart();
        interpreter.execute(command);
        (void)complete(*session, command);
    }
    return 0;
}
