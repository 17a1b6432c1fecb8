#include "app/dump_names.h"

#include <algorithm>

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
    for (std::size_t i = 0; i < pattern.size(); ++i) {
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
    return given.find("%p") == std::string::npos;
}

bool namesCompressed(std::string_view given) {
    return given.ends_with(compressedExtension);
}

const Format* namedFormat(std::string_view given) {
    if (namesCompressed(given)) given.remove_suffix(compressedExtension.size());
    return formatByExtension(std::filesystem::path(given));
}

}  // namespace icecore::app
