// What the tests of symbols share: a folder of their own, commands, and the answers of
// llvm-symbolizer.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "support/paths.h"
#include "symbols/demangle.h"
#include "symbols/module_symbolizer.h"

namespace icecore::tests {

namespace fs = std::filesystem;

/// A folder that goes away with the test.
class Folder {
public:
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "icecore_symbols_XXXXXX").string();
        if (const char* made = ::mkdtemp(pattern.data())) path_ = made;
    }
    ~Folder() {
        std::error_code error;
        fs::remove_all(path_, error);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }
    [[nodiscard]] fs::path operator/(std::string_view name) const { return path_ / name; }

private:
    fs::path path_;
};

struct Ran {
    int status = -1;
    std::string output;  ///< standard output
};

inline Ran run(const std::string& command) {
    Ran ran;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return ran;
    char buffer[65536];
    while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe))
        ran.output.append(buffer, got);
    const int status = ::pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

inline bool have(const std::string& program) {
    return run("command -v " + program + " 2>/dev/null").status == 0;
}

/// llvm-symbolizer: the newest one installed; empty when there is none.
inline std::string llvmSymbolizer() {
    for (const char* name : {"llvm-symbolizer-19", "llvm-symbolizer-18", "llvm-symbolizer"}) {
        if (have(name)) return name;
    }
    return {};
}

inline std::shared_ptr<const ElfImage> openElf(const fs::path& path) {
    auto source = openMappedFile(path);
    if (!source) return nullptr;
    return ElfImage::open(*source).value_or(nullptr);
}

/// A frame as both sides can say it.
struct PlainFrame {
    std::string function, file;
    std::uint32_t line = 0;
    bool operator==(const PlainFrame&) const = default;
};

inline std::string toText(const std::vector<PlainFrame>& frames) {
    std::string text;
    for (const PlainFrame& frame : frames)
        text += " [" + frame.function + " " + frame.file + ":" + std::to_string(frame.line) + "]";
    return text;
}

inline std::vector<PlainFrame> ourFrames(const ModuleSymbolizer& symbols, std::uint64_t address) {
    std::vector<PlainFrame> frames;
    for (const SymbolFrame& frame : symbols.locate(address, false).frames) {
        frames.push_back({frame.function, fs::path(frame.file).filename().string(), frame.line});
    }
    return frames;
}

/// What llvm-symbolizer says of every address, in order.
inline std::vector<std::vector<PlainFrame>> llvmFrames(
    const Folder& folder, const fs::path& file, const std::vector<std::uint64_t>& addresses) {
    const fs::path list = folder / "addresses";
    {
        std::ofstream out(list);
        for (const std::uint64_t address : addresses)
            out << hex(address) << '\n';
    }
    const Ran ran = run(llvmSymbolizer() +
                        " --output-style=GNU --addresses --functions=linkage"
                        " --inlines --no-demangle -e " +
                        file.string() + " < " + list.string());
    std::vector<std::vector<PlainFrame>> all;
    const auto lines = split(ran.output, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].starts_with("0x")) {
            all.emplace_back();
            continue;
        }
        if (all.empty() || i + 1 >= lines.size()) continue;
        PlainFrame frame;
        if (lines[i] != "??") frame.function = functionName(lines[i]);
        const std::string_view place = lines[++i];
        const std::size_t colon = place.rfind(':');
        const std::string_view path = place.substr(0, colon);
        if (path != "??") frame.file = fs::path(path).filename().string();
        std::string_view number = place.substr(colon + 1);
        number = number.substr(0, number.find(' '));  // "(discriminator 2)"
        frame.line = static_cast<std::uint32_t>(parseDecimal(number).value_or(0));
        all.back().push_back(frame);
    }
    return all;
}

/// Every address of .text.
inline std::vector<std::uint64_t> textAddresses(const ElfImage& image) {
    std::vector<std::uint64_t> addresses;
    if (const ElfSection* text = image.section(".text")) {
        for (std::uint64_t i = 0; i < text->size; ++i)
            addresses.push_back(text->address + i);
    }
    return addresses;
}

/// Compiles tests/targets/symbols_shapes.cpp to `output`, run from the folder so that its .dwo
/// files land there.
inline fs::path compileShapes(const Folder& folder, const std::string& compiler,
                              const std::string& options, const std::string& output = "shapes") {
    const fs::path path = folder / output;
    const Ran ran = run("cd " + folder.path().string() + " && " + compiler + " " + options + " " +
                        sourceFile("tests/targets/symbols_shapes.cpp") + " -o " + output + " 2>&1");
    EXPECT_EQ(ran.status, 0) << ran.output;
    return path;
}

}  // namespace icecore::tests
