// Minidumps made of texts, for tests: built, opened, described, damaged.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "bytes/endian.h"
#include "formats/minidump/layout.h"
#include "formats/minidump/minidump.h"

namespace icecore::minidump {

/// A dump of x64 Windows with one more stream, whose pieces are `text`.
inline std::string dumpText(std::uint32_t type, std::string_view size, std::string_view text,
                            unsigned platform = platformWindows) {
    return fmt::format(R"(
MINIDUMP_HEADER header {{
  Signature: "MDMP"
  Version: 0xa793
  NumberOfStreams: 3
  StreamDirectoryRva: @directory.0
}}
MINIDUMP_DIRECTORY directory.0 {{
  StreamType: 7
  DataSize: @system.size
  Rva: @system
}}
MINIDUMP_DIRECTORY directory.1 {{
  StreamType: 4
  DataSize: 112
  Rva: @modules
}}
MINIDUMP_DIRECTORY directory.2 {{
  StreamType: {:#x}
  DataSize: {}
  Rva: @it
}}
MINIDUMP_SYSTEM_INFO system {{
  ProcessorArchitecture: 9
  PlatformId: {:#x}
  MajorVersion: 10
}}
Count modules {{
  Count: 1
}}
MINIDUMP_MODULE modules.0 {{
  BaseOfImage: 0x140000000
  SizeOfImage: 0x10000
  ModuleNameRva: @program
}}
MINIDUMP_STRING program {{
  Length: 12
  Buffer: "wo.exe"
}}
{})",
                       type, size, platform, text);
}

inline Snapshot opened(const std::vector<std::byte>& file) {
    auto snapshot = open(memorySource(file, "dump"));
    EXPECT_TRUE(snapshot) << snapshot.error().describe();
    return snapshot ? *std::move(snapshot) : Snapshot{};
}

inline std::string described(const std::vector<std::byte>& file) {
    (void)outline(memorySource(file, "dump"));
    const auto text = describe(memorySource(file, "dump"));
    EXPECT_TRUE(text) << text.error().describe();
    return text ? *text : std::string();
}

/// Builds `text`, holds it against all that damage may do, and returns the file.
inline std::vector<std::byte> checked(const std::string& text,
                                      std::initializer_list<const char*> fields) {
    const auto built = build(text);
    EXPECT_TRUE(built) << built.error().describe();
    if (!built) return {};
    const std::vector<std::byte>& file = *built;
    const std::string again = described(file);
    for (const char* field : fields)
        EXPECT_NE(again.find(field), std::string::npos) << field << "\n" << again;
    const auto rebuilt = build(again);
    EXPECT_TRUE(rebuilt && *rebuilt == file);
    for (std::size_t size = 0; size < file.size(); size += 3) {
        const std::vector<std::byte> cut(file.begin(),
                                         file.begin() + static_cast<std::ptrdiff_t>(size));
        if (open(memorySource(cut, "dump"))) (void)described(cut);
    }
    const std::size_t first = file.size() > 3000 ? file.size() - 3000 : sizeof(Header);
    for (std::size_t at = first; at + 4 <= file.size(); at += 4) {
        for (const std::uint32_t value : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
            std::vector<std::byte> broken = file;
            storeInteger(broken.data() + at, value);
            (void)open(memorySource(broken, "dump"));
            const std::string shown = described(broken);
            EXPECT_EQ(build(shown).value_or(std::vector<std::byte>()), broken) << at;
        }
    }
    return file;
}

inline std::string attachment(const Snapshot& snapshot, std::string_view name) {
    const SharedBytes* found = snapshot.attachment(name);
    return found != nullptr ? std::string(found->text()) : std::string();
}

}  // namespace icecore::minidump
