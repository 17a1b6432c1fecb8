#include "app/dump_names.h"

#include <algorithm>
#include <cctype>

#include "app/terminal.h"

namespace icecore::app {

namespace {

constexpr std::string_view compressedExtension = ".zst";

std::string safeName(std::string_view name) {
    std::string safe(name.empty() ? "process" : name);
    std::ranges::replace_if(
        safe, [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20; },
        '_');
    if (safe.front() == '.') safe.front() = '_';
    return safe;
}

bool namesDirectory(const std::string& given) {
    std::error_code ignored;
    return given.ends_with('/') || std::filesystem::is_directory(given, ignored);
}

}  // namespace

std::string expandName(std::string_view pattern, const NameParts& parts) {
    std::string name;
    const std::string stamp = timeStamp(parts.unixSeconds);  // "YYMMDD_HHMMSS"
    const std::pair<std::string_view, std::string> words[] = {
        {"PROCESSNAME", safeName(parts.process)},
        {"PID", std::to_string(parts.pid)},
        {"EXCEPTIONCODE", parts.exceptionCode.empty() ? "" : safeName(parts.exceptionCode)},
        {"YYMMDD", stamp.substr(0, std::min<std::size_t>(stamp.size(), 6))},
        {"HHMMSS", stamp.size() > 7 ? stamp.substr(7) : std::string()}};
    const std::size_t lastPart = pattern.rfind('/') + 1;  // npos + 1 is 0
    const auto letter = [&](std::size_t at) {
        return at < pattern.size() && std::isalnum(static_cast<unsigned char>(pattern[at])) != 0;
    };
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (i >= lastPart && (i == lastPart || !letter(i - 1))) {
            const auto word = std::ranges::find_if(words, [&](const auto& candidate) {
                return pattern.substr(i).starts_with(candidate.first) &&
                       !letter(i + candidate.first.size());
            });
            if (word != std::end(words)) {
                name += word->second;
                i += word->first.size() - 1;
                continue;
            }
        }
        const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
        if (pattern[i] != '%') {
            name += pattern[i];
            continue;
        }
        switch (next) {
        case 'p': name += std::to_string(parts.pid); break;
        case 'e': name += safeName(parts.process); break;
        case 'h': name += safeName(parts.host); break;
        case 't': name += std::to_string(parts.unixSeconds); break;
        case '%': name += '%'; break;
        default: name += '%'; continue;
        }
        ++i;
    }
    return name;
}

std::string defaultName(const NameParts& parts, const Format& format, bool compressed) {
    std::string name = safeName(parts.process) + "_" + timeStamp(parts.unixSeconds);
    name += format.extension;
    if (compressed) name += compressedExtension;
    return name;
}

std::filesystem::path outputPath(const std::string& given, const NameParts& parts,
                                 const Format& format, bool compressed) {
    if (given.empty()) return defaultName(parts, format, compressed);
    if (namesDirectory(given))
        return std::filesystem::path(given) / defaultName(parts, format, compressed);
    return expandName(given, parts);
}

bool namesOneFile(const std::string& given) {
    if (given.empty() || namesDirectory(given)) return false;
    const NameParts one{1, "p", 0, "h", {}};
    const NameParts another{2, "p", 0, "h", {}};
    return expandName(given, one) == expandName(given, another);
}

bool namesCompressed(std::string_view given) {
    return given.ends_with(compressedExtension);
}

const Format* namedFormat(std::string_view given) {
    if (namesCompressed(given)) given.remove_suffix(compressedExtension.size());
    return formatByExtension(std::filesystem::path(given));
}

}  // namespace icecore::app
