// What the tests of `icecore open` share: one core of the crasher, made by gdb, and gdb's own
// answers.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/paths.h"
#include "support/scratch.h"

namespace icecore::tests {

using Output = ShellOutput;

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
        gdb("-ex 'set startup-with-shell off' -ex run -ex " +
            shellWord("generate-core-file " + path()) + " " + target("crasher"));
    }

    [[nodiscard]] bool made() const { return std::filesystem::exists(path()); }
    [[nodiscard]] std::string path() const { return scratch_.file("core"); }
    [[nodiscard]] std::string folder() const { return scratch_.file(""); }

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
    Scratch scratch_;
};

/// What stands between the lines "NEXT" of an output.
inline std::vector<std::string> parts(std::string_view text) {
    std::vector<std::string> result(1);
    for (const std::string_view line : split(text, '\n')) {
        if (line == "NEXT")
            result.emplace_back();
        else
            result.back() += std::string(line) + "\n";
    }
    return result;
}

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
