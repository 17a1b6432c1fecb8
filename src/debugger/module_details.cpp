// What `lm v` tells of one module.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "debugger/module_text.h"
#include "images/pe_details.h"

namespace icecore::debugger {

namespace {

std::string field(std::string_view label, std::string_view value) {
    return value.empty() ? std::string() : fmt::format("    {:<17} {}\n", label, printable(value));
}

/// winver.h: VOS_…, both halves.
std::string osText(std::uint32_t os) {
    constexpr std::array<std::string_view, 6> systems = {"Unknown", "DOS", "OS/2 16",
                                                         "OS/2 32", "NT",  "CE"};
    constexpr std::array<std::string_view, 5> surfaces = {"Base", "Win16", "PM16", "PM32", "Win32"};
    const std::uint32_t system = os >> 16U, surface = os & 0xffffU;
    return fmt::format("{:X} {} {}", os, system < systems.size() ? systems[system] : "Unknown",
                       surface < surfaces.size() ? surfaces[surface] : "");
}

/// winver.h: VFT_….
std::string typeText(std::uint32_t type, std::uint32_t subtype) {
    constexpr std::array<std::string_view, 8> names = {
        "Unknown", "App", "Dll", "Driver", "Font", "VxD", "Unknown", "Static library"};
    return fmt::format("{:X}.{:X} {}", type, subtype,
                       type < names.size() ? names[type] : "Unknown");
}

std::string versionText(const PeVersion& version) {
    std::string text = field("File version:", version.fileVersion);
    text += field("Product version:", version.productVersion);
    text +=
        fmt::format("    File flags:       {:X} (Mask {:X}){}{}{}\n", version.flags,
                    version.flagsMask, version.debug ? " Debug" : "",
                    version.prerelease ? " Pre-release" : "", version.patched ? " Patched" : "");
    text += fmt::format("    File OS:          {}\n", osText(version.os));
    text += fmt::format("    File type:        {}\n", typeText(version.type, version.subtype));
    text += fmt::format("    File date:        {:08X}.{:08X}\n", version.date >> 32U,
                        version.date & UINT32_MAX);
    if (!version.translations.empty()) {
        text += "    Translations:    ";
        for (const std::uint32_t pair : version.translations)
            text += fmt::format(" {:04x}.{:04x}", pair >> 16U, pair & 0xffffU);
        text += "\n";
    }
    constexpr std::array<const char*, 12> order = {
        "CompanyName",     "ProductName",    "InternalName",    "OriginalFilename",
        "ProductVersion",  "FileVersion",    "PrivateBuild",    "SpecialBuild",
        "FileDescription", "LegalCopyright", "LegalTrademarks", "Comments"};
    std::string strings;
    for (const char* name : order) {
        const auto found = version.strings.find(name);
        if (found != version.strings.end())
            strings += fmt::format("        {:<17} {}\n", std::string(name) + ":",
                                   printable(found->second));
    }
    return strings.empty() ? text : text + "    Information from resource tables:\n" + strings;
}

}  // namespace

std::string moduleDetailsText(const Session& session, const Module& module) {
    const ModuleSymbols& symbols = session.symbolizer().module(module);
    std::string text;
    if (!symbols.debugPath.empty())
        text += fmt::format("    Loaded symbol image file: {}\n", printable(symbols.debugPath));
    if (!symbols.imagePath.empty())
        text += fmt::format("    Mapped memory image file: {}\n", printable(symbols.imagePath));
    text += fmt::format("    Image path: {}\n    Image name: {}\n", printable(module.path),
                        printable(module.fileName()));
    const bool windows = symbols.peImage != nullptr || module.timestamp != 0;
    if (module.timestamp != 0) {
        text +=
            fmt::format("    Timestamp:        {:%a %b %e %H:%M:%S %Y} ({:08X})\n",
                        fmt::gmtime(static_cast<std::time_t>(module.timestamp)), module.timestamp);
    }
    if (windows) text += fmt::format("    CheckSum:         {:08X}\n", module.checksum);
    text += fmt::format("    ImageSize:        {:08X}\n",
                        module.imageSize != 0 ? module.imageSize : module.range.size());
    const auto version = symbols.peImage ? peVersion(*symbols.peImage) : std::nullopt;
    text += version ? versionText(*version) : field("File version:", module.version);
    text +=
        field(module.id.kind == ModuleId::Kind::pdb ? "Debug id:" : "Build id:", module.id.text());
    text += field("Debug file:", module.debugFile);
    if (module.bias) text += field("Load bias:", hexTicked(*module.bias));
    text += field("Symbols:", toString(symbols.kind));
    if (symbols.kind == SymbolKind::none || symbols.kind == SymbolKind::mismatch) {
        for (const std::string& sentence : symbols.tried)
            text += field("Tried:", sentence);
    }
    return text;
}

}  // namespace icecore::debugger
