// What the tests of `icecore open` share: one core of the crasher, made by gdb, and gdb's own
// answers.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/paths.h"

namespace icecore::tests {

struct Output {
    std::string text;
    int status = -1;  ///< exit status
};

/// Runs a shell command; what it says on standard output (and on standard error, if merged there).
inline Output shell(const std::string& command) {
    Output output;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return output;
    char piece[65536];
    while (const std::size_t got = std::fread(piece, 1, sizeof piece, pipe))
        output.text.append(piece, got);
    const int status = ::pclose(pipe);
    output.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return output;
}

inline std::string shellWord(std::string_view text) {
    std::string result = "'";
    for (const char c : text)
        result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result + "'";
}

/// A core of tests/targets/crasher, in a folder of its own that goes away with it.
class CrasherCore {
public:
    CrasherCore() {
        std::string folder =
            (std::filesystem::temp_directory_path() / "icecore_open_XXXXXX").string();
        if (::mkdtemp(folder.data()) == nullptr) return;
        folder_ = folder;
        gdb("-ex 'set startup-with-shell off' -ex run -ex " +
            shellWord("generate-core-file " + path()) + " " + target("crasher"));
    }
    ~CrasherCore() {
        std::error_code ignored;
        if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
    }
    CrasherCore(const CrasherCore&) = delete;
    CrasherCore& operator=(const CrasherCore&) = delete;

    [[nodiscard]] bool made() const { return std::filesystem::exists(path()); }
    [[nodiscard]] std::string path() const { return folder_ + "/core"; }
    [[nodiscard]] const std::string& folder() const { return folder_; }

    /// `icecore open CORE -c COMMANDS`.
    [[nodiscard]] Output open(std::string_view commands, const std::string& options = {}) const {
        return shell(shellWord(program()) + " open " + shellWord(path()) + " " + options + " -c " +
                     shellWord(commands) + " 2>&1");
    }
    /// gdb's answer to commands about the core.
    [[nodiscard]] std::string askGdb(const std::vector<std::string>& commands) const {
        std::string arguments = "-ex 'set disassembly-flavor intel'";
        for (const std::string& command : commands)
            arguments += " -ex " + shellWord(command);
        return gdb(arguments + " " + target("crasher") + " " + path());
    }

private:
    static std::string gdb(const std::string& arguments) {
        return shell("DEBUGINFOD_URLS= gdb -nx -q -batch -ex 'set pagination off' " + arguments +
                     " 2>/dev/null </dev/null")
            .text;
    }
    std::string folder_;
};

/// The fields of each line that `accept` takes.
inline std::vector<std::vector<std::string>> fieldsOf(std::string_view text) {
    std::vector<std::vector<std::string>> rows;
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = splitBlanks(line);
        if (!fields.empty()) rows.emplace_back(fields.begin(), fields.end());
    }
    return rows;
}

}  // namespace icecore::tests
