// LLDB is asked about dumps.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/scratch.h"

namespace icecore::tests {

/// What LLDB says, on both of its outputs, to commands given as its arguments. No init files and no
/// searching for symbols on the network: only what the dump names.
inline std::string lldb(const std::string& commands) {
    return shell("timeout 300 lldb-14 --no-lldbinit --batch " + commands + " 2>&1 </dev/null").text;
}

/// The lines in which LLDB warns or complains. Debian's lldb-14 lacks a part of its Python, of
/// which it complains whatever is opened.
inline std::string lldbComplaints(const std::string& text) {
    std::string found;
    for (const std::string_view line : split(text, '\n')) {
        const std::string lower = toLower(line);
        const bool ofPython = line.starts_with("ModuleNotFoundError") ||
                              line.starts_with("NameError") || line.starts_with("Traceback");
        if (!ofPython && (lower.find("error:") != std::string::npos ||
                          lower.find("warning:") != std::string::npos))
            found += std::string(line) + "\n";
    }
    return found;
}

/// Of each thread, by LLDB's index, the "ADDRESS FUNCTION" of its frames. The module is left out:
/// of a living process LLDB names it as it was linked (libstdc++.so.6), of a dump as the file is
/// called (libstdc++.so.6.0.30).
inline std::map<std::string, std::vector<std::string>> lldbStacks(const std::string& text) {
    std::map<std::string, std::vector<std::string>> stacks;
    std::vector<std::string>* current = nullptr;
    for (const std::string_view line : split(text, '\n')) {
        if (const std::size_t at = line.find("thread #"); at != std::string_view::npos) {
            const std::string_view rest = line.substr(at);
            current = &stacks[std::string(rest.substr(0, rest.find(',')))];
            continue;
        }
        const std::size_t address = line.find(": 0x");
        const std::size_t tick = line.find('`');
        const bool isFrame = line.find("frame #") != std::string_view::npos;
        if (!isFrame || !current || address == std::string_view::npos ||
            tick == std::string_view::npos)
            continue;
        const std::string_view pc = splitBlanks(line.substr(address + 2)).front();
        // Up to the arguments; "(anonymous namespace)::f(…)" begins with a bracket of its own.
        const std::string_view function = line.substr(tick + 1);
        current->push_back(std::string(pc) + " " +
                           std::string(function.substr(0, function.find('(', 1))));
    }
    return stacks;
}

}  // namespace icecore::tests
