#include "kit/images.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "support/paths.h"

namespace icecore::bench {

namespace {

constexpr int doneWithLosses = 3;

}  // namespace

Result<Run> icecore(const std::vector<std::string>& arguments) {
    Command command{tests::program()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Run said = run(command);
    if (said.succeeded || said.status == doneWithLosses) return said;
    return fail(Errc::internal, fmt::format("icecore {}: status {}, {}", arguments.front(),
                                            said.status, printable(trim(said.output))));
}

Result<Run> succeed(const Command& command) {
    Run said = run(command);
    if (said.succeeded) return said;
    return fail(Errc::internal, fmt::format("{}: status {}, {}", command.front(), said.status,
                                            printable(trim(said.output))));
}

void settle(const std::string& replaced) {
    std::error_code ignored;
    std::filesystem::remove(replaced, ignored);
    std::filesystem::remove(replaced + ".json", ignored);
    ::sync();
}

Result<void> inMemory(const std::string& path) {
    TRY(succeed({"dd", "if=" + path, "of=/dev/null", "bs=1M"}));
    return {};
}

Command bufferedCopy(const std::string& from, const std::string& to) {
    return {"dd", "if=" + from, "of=" + to, "bs=1M", "conv=fsync"};
}

Command directCopy(const std::string& from, const std::string& to) {
    return {"dd", "if=" + from, "of=" + to, "bs=4M", "oflag=direct", "conv=fsync"};
}

}  // namespace icecore::bench
