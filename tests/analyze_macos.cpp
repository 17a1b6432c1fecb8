// Dumps of macOS, made as text: what the verdict quotes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/scratch.h"

namespace icecore::tests {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::string_view dumpWithCrashInfo = R"(
MINIDUMP_HEADER header at 0 {
  Signature: "MDMP"
  Version: 0xa793
  NumberOfStreams: 2
  StreamDirectoryRva: @directory.0
}
MINIDUMP_DIRECTORY directory.0 at 0x20 {
  StreamType: 7
  DataSize: @system.size
  Rva: @system
}
MINIDUMP_DIRECTORY directory.1 {
  StreamType: 0x4d7a0001
  DataSize: @information.size
  Rva: @information
}
MINIDUMP_SYSTEM_INFO system {
  ProcessorArchitecture: 9
  PlatformId: 0x8101
  MajorVersion: 12
}
MDRawMacCrashInfo information {
  stream_type: 0x4d7a0001
  record_count: 1
  record_start_size: 40
  record0Size: @record.size
  record0Rva: @record
}
MDRawMacCrashInfoRecord record {
  stream_type: 0x4d7a0001
  version: 5
  strings: <2f7573722f6c69622f64796c6400 61620a1b5d00 00 00 00>
}
)";

/// The module, its message and, as the text is anybody's, no control character of it.
TEST(AnalyzeMacOs, QuotesWhatLibrariesLeftForTheReporter) {
    const Scratch scratch;
    std::ofstream(scratch.file("dump.txt")) << dumpWithCrashInfo;
    const std::string dump = scratch.file("mac.dmp");
    const auto built =
        shell(program() + " build " + scratch.file("dump.txt") + " -o " + dump + " 2>&1");
    ASSERT_EQ(built.status, 0) << built.text;

    const auto parsed =
        json::parse(shell(program() + " analyze --json " + dump + " 2>&1").text, nullptr, false);
    ASSERT_TRUE(parsed.is_object());
    EXPECT_EQ(parsed["crash_info"],
              json::array({"module: /usr/lib/dyld", "message: ab", "\\x1b]"}).get<json>())
        << parsed["crash_info"];
    for (const std::string& command :
         {std::string(" analyze ") + dump, " open " + dump + " -c '!analyze'"}) {
        const auto text = shell(program() + command + " 2>&1").text;
        EXPECT_THAT(text, HasSubstr("Libraries left words for macOS' crash reporter."));
        EXPECT_THAT(text, HasSubstr("module: /usr/lib/dyld"));
        EXPECT_THAT(text, HasSubstr("message: ab"));
        EXPECT_EQ(text.find('\x1b'), std::string::npos);
    }
    // A dump without them has no such field.
    const auto without = shell(
        "sed 's/stream_type: 0x4d7a0001/stream_type: 0/; "
        "s/StreamType: 0x4d7a0001/StreamType: 0x4d7affff/' " +
        scratch.file("dump.txt") + " > " + scratch.file("other.txt") + " && " + program() +
        " build " + scratch.file("other.txt") + " -o " + scratch.file("other.dmp") + " && " +
        program() + " analyze --json " + scratch.file("other.dmp"));
    const auto plain = json::parse(without.text, nullptr, false);
    ASSERT_TRUE(plain.is_object()) << without.text;
    EXPECT_FALSE(plain.contains("crash_info"));
}

}  // namespace
}  // namespace icecore::tests
