// Programs as Windows has them, made here by clang and lld: PE images with their PDB.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "support/scratch.h"

namespace icecore::tests {

/// Whether clang and lld for Windows are installed; tests are skipped otherwise.
inline bool canBuildForWindows() {
    static const bool can =
        shell("command -v clang-19 lld-link-19 >/dev/null && echo yes").text == "yes\n";
    return can;
}

struct WindowsBuild {
    std::string arch = "x86_64";     ///< as in clang's --target
    std::string compile = "-O0";     ///< clang's options
    std::string link = "/dll";       ///< lld-link's options
    std::string name = "a";          ///< of the files
    std::string extension = ".dll";  ///< of the image
};

/// Compiles `source` to NAME.dll and NAME.pdb in `folder`, without a C library. Returns what the
/// tools said when it fails, empty otherwise.
inline std::string buildForWindows(const std::filesystem::path& folder, const std::string& source,
                                   const WindowsBuild& how = {}) {
    std::ofstream(folder / (how.name + ".cpp")) << source;
    const std::string command = "cd '" + folder.string() + "' && clang-19 --target=" + how.arch +
                                "-pc-windows-msvc -std=c++17 -g -gcodeview "
                                "-fno-exceptions " +
                                how.compile + " -c " + how.name + ".cpp -o " + how.name +
                                ".obj && lld-link-19 /entry:start /nodefaultlib /debug " +
                                how.link + " /out:" + how.name + how.extension +
                                " /pdb:" + how.name + ".pdb " + how.name + ".obj 2>&1";
    const ShellOutput ran = shell(command);
    if (ran.status == 0) return {};
    return ran.text.empty() ? "clang or lld failed" : ran.text;
}

}  // namespace icecore::tests
