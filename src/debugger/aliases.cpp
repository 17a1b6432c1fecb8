#include "debugger/aliases.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/text.h"
#include "debugger/session.h"

namespace icecore::debugger {

namespace {

bool endsWord(char c) {
    constexpr std::string_view breaks = " \t;\"(){},";
    return breaks.find(c) != std::string_view::npos;
}

/// What `${inside}` stands for; nothing: it stays as it is.
std::optional<std::string> braced(const Aliases& aliases, std::string_view inside) {
    char option = '\0';
    if (inside.size() >= 3 && inside[0] == '/' && inside[2] == ':') {
        option = inside[1];
        inside.remove_prefix(3);
    }
    const auto alias = aliases.find(trim(inside));
    const bool known = alias != aliases.end();
    switch (option) {
    case '\0': return known ? std::optional(alias->second) : std::nullopt;
    case 'd': return known ? "1" : "0";
    case 'f': return known ? alias->second : std::string();
    case 'n': return known ? std::optional(alias->first) : std::nullopt;
    default: return std::nullopt;
    }
}

}  // namespace

Aliases automaticAliasesOf(const Session& session) {
    Aliases aliases;
    const Snapshot& snapshot = session.snapshot();
    if (session.process().system.os == Os::windows) {
        // A machine beside the process: a kernel's dump.
        const std::string own = snapshot.machine ? "nt" : "ntdll";
        aliases = {{"$ntnsym", own}, {"$ntwsym", ""}, {"$ntsym", own}};
        if (session.otherArch()) {
            const bool native = session.arch() == session.nativeArch();
            const auto nameOf = [&](const Module* module) {
                return module != nullptr ? session.moduleNames().name(*module) : std::string();
            };
            aliases["$ntwsym"] = nameOf(session.ntdll(4));
            if (!native) aliases["$ntsym"] = aliases["$ntwsym"];
        }
    }
    const std::string& given = snapshot.provenance.path;
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(given, error);
    const std::filesystem::path path = error ? std::filesystem::path(given) : absolute;
    aliases["$CurrentDumpFile"] = given.empty() ? given : path.string();
    aliases["$CurrentDumpPath"] = given.empty() ? given : path.parent_path().string();
    aliases["$CurrentDumpArchiveFile"] = aliases["$CurrentDumpArchivePath"] = "";
    return aliases;
}

bool definesAliases(std::string_view line) {
    // WinDbg looks at the first two letters alone; a word keeps `assert…` out of it.
    const std::string_view text = trim(line);
    const std::string_view word = text.substr(0, std::min(text.find_first_of(" \t;"), text.size()));
    return equalsIgnoreCase(word, "as") || equalsIgnoreCase(word, "ad") ||
           equalsIgnoreCase(word, "al");
}

std::string putFixedAliases(const std::array<std::optional<std::string>, 10>& fixed,
                            std::string_view text) {
    std::string result;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const std::string_view here = text.substr(at);
        const bool names = here.size() > 2 && here.starts_with("$u") && here[2] >= '0' &&
                           here[2] <= '9' && fixed.at(static_cast<std::size_t>(here[2] - '0'));
        if (!names) {
            result += text[at];
            continue;
        }
        result += *fixed.at(static_cast<std::size_t>(here[2] - '0'));
        at += 2;
    }
    return result;
}

std::string putAliases(const Aliases& aliases, std::string_view text) {
    std::string result;
    std::size_t at = 0;
    while (at < text.size()) {
        if (text.substr(at).starts_with("${")) {
            const std::size_t close = text.find('}', at);
            if (close != std::string_view::npos) {
                const auto value = braced(aliases, text.substr(at + 2, close - at - 2));
                result += value ? *value : std::string(text.substr(at, close - at + 1));
                at = close + 1;
                continue;
            }
        }
        if (endsWord(text[at])) {
            result += text[at++];
            continue;
        }
        std::size_t end = at;
        while (end < text.size() && !endsWord(text[end]) && !text.substr(end).starts_with("${"))
            ++end;
        const std::string_view word = text.substr(at, end - at);
        const auto alias = aliases.find(word);
        result += alias != aliases.end() ? std::string_view(alias->second) : word;
        at = std::max(end, at + 1);
    }
    return result;
}

}  // namespace icecore::debugger
