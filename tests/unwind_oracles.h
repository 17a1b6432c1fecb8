// What tests of the unwinder share: a victim's core, our stacks of it, and those of other tools.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "formats/format.h"
#include "support/paths.h"
#include "unwind/unwinder.h"

namespace icecore::tests {

/// A folder that goes away with the test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        static int count = 0;
        path_ = std::filesystem::temp_directory_path() /
                ("icecore_unwind_" + hex(reinterpret_cast<std::uintptr_t>(this)) + "_" +
                 hex(static_cast<std::uint64_t>(
                     std::chrono::steady_clock::now().time_since_epoch().count())) +
                 "_" + std::to_string(++count));
        std::filesystem::create_directories(path_);
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] std::string file(std::string_view name) const { return (path_ / name).string(); }
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

inline std::string outputOf(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::string text;
    char piece[65536];
    while (const std::size_t got = std::fread(piece, 1, sizeof piece, pipe.get()))
        text.append(piece, got);
    return text;
}

inline bool haveTool(const std::string& name) {
    return !outputOf("command -v " + name + " 2>/dev/null").empty();
}

inline void writeFile(const std::string& path, std::string_view text) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "w"), std::fclose);
    std::fwrite(text.data(), 1, text.size(), file.get());
}

/// Program counters by thread id, innermost first.
using Stacks = std::map<std::uint64_t, std::vector<std::uint64_t>>;

/// "TID n:" lines followed by "#i 0xpc …" lines: eu-stack's form, which our gdb script speaks, too.
inline Stacks parseStacks(const std::string& text) {
    Stacks stacks;
    std::vector<std::uint64_t>* current = nullptr;
    for (const std::string_view line : split(text, '\n')) {
        const auto fields = splitBlanks(line);
        if (fields.size() == 2 && fields[0] == "TID") {
            current = &stacks[parseDecimal(fields[1].substr(0, fields[1].size() - 1)).value_or(0)];
        } else if (fields.size() >= 2 && fields[0].starts_with('#') && current != nullptr) {
            if (const auto pc = parseHex(fields[1])) current->push_back(*pc);
        }
    }
    return stacks;
}

/// Physical frames only: gdb also shows inlined functions and tail calls.
inline constexpr std::string_view gdbStackScript = R"(
import gdb
for t in gdb.selected_inferior().threads():
    t.switch()
    print("TID %d:" % t.ptid[1])
    f = gdb.newest_frame()
    n = 0
    while f is not None and n < 2000:
        if f.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            print("#%d 0x%x" % (n, f.pc()))
            n += 1
        try:
            f = f.older()
        except gdb.error:
            break
)";

/// Runs `commandLine` under gdb until it stops by a fatal signal, writes `core`, and returns the
/// stacks that gdb sees.
inline Stacks runUnderGdb(const TemporaryFolder& folder, const std::string& commandLine,
                          const std::string& core) {
    writeFile(folder.file("stacks.py"), gdbStackScript);
    return parseStacks(
        outputOf("gdb -batch -nx -ex 'set debuginfod enabled off' -ex 'set backtrace past-main on'"
                 " -ex 'handle SIGUSR1 nostop noprint pass' -ex run"
                 " -ex 'generate-core-file " +
                 core + "' -ex 'source " + folder.file("stacks.py") + "' -ex kill --args " +
                 commandLine + " </dev/null 2>/dev/null"));
}

/// gdb attaches to a running process, writes `core` and detaches.
inline Stacks attachGdb(const TemporaryFolder& folder, std::uint64_t pid, const std::string& core) {
    writeFile(folder.file("stacks.py"), gdbStackScript);
    return parseStacks(outputOf(
        "gdb -batch -nx -ex 'set debuginfod enabled off' -ex 'set backtrace past-main on' -p " +
        std::to_string(pid) + " -ex 'generate-core-file " + core + "' -ex 'source " +
        folder.file("stacks.py") + "' -ex detach </dev/null 2>/dev/null"));
}

inline Stacks euStack(const std::string& core, const std::string& executable) {
    return parseStacks(outputOf("eu-stack -n 0 --core " + core +
                                (executable.empty() ? "" : " -e " + executable) + " 2>/dev/null"));
}

/// A dump with its symbols and its unwinder.
struct OpenDump {
    explicit OpenDump(const std::string& path) : snapshot(openDump(path)) {
        if (!snapshot || !snapshot->process) return;
        symbolizer = std::make_unique<Symbolizer>(*snapshot->process, SymbolOptions{});
        unwinder = std::make_unique<Unwinder>(*snapshot->process, *symbolizer);
    }
    [[nodiscard]] bool ok() const { return unwinder != nullptr; }
    [[nodiscard]] const Process& process() const { return *snapshot->process; }

    [[nodiscard]] Stacks stacks(const UnwindOptions& options = {}) const {
        Stacks all;
        for (const Thread& thread : process().threads) {
            auto& pcs = all[thread.id];
            for (const Frame& frame : unwinder->unwind(thread, options).frames)
                pcs.push_back(frame.pc);
        }
        return all;
    }
    [[nodiscard]] std::string nameOf(const Frame& frame) const {
        const auto symbol =
            symbolizer->nearestSymbol(frame.pcIsReturnAddress ? frame.pc - 1 : frame.pc);
        return symbol ? symbol->name : hex(frame.pc);
    }
    [[nodiscard]] std::vector<std::string> namesOf(const Stack& stack) const {
        std::vector<std::string> names;
        names.reserve(stack.frames.size());
        for (const Frame& frame : stack.frames)
            names.push_back(nameOf(frame));
        return names;
    }

    Result<Snapshot> snapshot;
    std::unique_ptr<Symbolizer> symbolizer;
    std::unique_ptr<Unwinder> unwinder;
};

inline std::string describe(const Stack& stack, const OpenDump& dump) {
    std::string text;
    for (const Frame& frame : stack.frames)
        text += hex(frame.pc) + " " + std::string(toString(frame.trust)) + " " +
                dump.nameOf(frame) + "\n";
    return text + std::string(toString(stack.end)) + " " + stack.note;
}

}  // namespace icecore::tests
