// Each stream of Windows out of a text: built, opened, described, built again; cut everywhere, and
// with one wrong field at a time.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "formats/minidump/described_dump.h"
#include "formats/minidump/layout.h"
#include "formats/minidump/minidump.h"

namespace icecore::minidump {
namespace {

TEST(DescribedStreams, MiscInfoOfEachVersion) {
    const auto file = checked(dumpText(streamMiscInfo, "@it.size", R"(
MINIDUMP_MISC_INFO_5 it {
  SizeOfInfo: @it.size
  Flags1: 0x3f7
  ProcessId: 4711
  ProcessIntegrityLevel: 0x3000
  TimeZoneBias: -60
  TimeZoneStandardName: "Mitteleuropa"
  BuildString: "19041.1.amd64fre"
  XStateEnabledFeatures: 0x1800
  ProcessCookie: 0xfeedbeef
}
)"),
                              {"MINIDUMP_MISC_INFO_5 misc", "TimeZoneBias: -60",
                               "BuildString: \"19041.1.amd64fre\"", "ProcessCookie: 0xfeedbeef"});
    const Snapshot snapshot = opened(file);
    EXPECT_EQ(snapshot.process->pid, 4711U);
    EXPECT_EQ(snapshot.process->system.distribution, "19041.1.amd64fre");
    EXPECT_TRUE(snapshot.issues.items().empty());
    for (const char* older : {"MINIDUMP_MISC_INFO", "MINIDUMP_MISC_INFO_2", "MINIDUMP_MISC_INFO_3",
                              "MINIDUMP_MISC_INFO_4"}) {
        const std::string start = fmt::format("{} misc at", older);
        checked(dumpText(streamMiscInfo, "@it.size",
                         fmt::format("{} it {{\n  SizeOfInfo: @it.size\n  Flags1: 1\n}}\n", older)),
                {start.c_str()});
    }
}

TEST(DescribedStreams, MemoryOfTheSystemAndOfTheProcess) {
    checked(dumpText(streamSystemMemoryInfo, "@it.size", R"(
MINIDUMP_SYSTEM_MEMORY_INFO_1 it {
  Revision: 1
  Flags: 0xf
  PageSize: 4096
  NumberOfPhysicalPages: 4193024
  BasicCommitLimit: 6000000
  SystemCalls: 123456
  SharedCommittedPages: 77
}
)"),
            {"MINIDUMP_SYSTEM_MEMORY_INFO_1 systemmemory", "NumberOfPhysicalPages: 4193024",
             "SystemCalls: 123456", "SharedCommittedPages: 77"});
    checked(dumpText(streamProcessVmCounters, "@it.size", R"(
MINIDUMP_PROCESS_VM_COUNTERS_2 it {
  Revision: 2
  Flags: 0xf
  WorkingSetSize: 12345678
  PrivateUsage: 23456789
}
)"),
            {"MINIDUMP_PROCESS_VM_COUNTERS_2 vmcounters", "PrivateUsage: 23456789"});
    checked(dumpText(streamProcessVmCounters, "@it.size", R"(
MINIDUMP_PROCESS_VM_COUNTERS_1 it {
  Revision: 1
  PageFaultCount: 99
}
)"),
            {"MINIDUMP_PROCESS_VM_COUNTERS_1 vmcounters", "PageFaultCount: 99"});
}

TEST(DescribedStreams, TokensAndHandleOperations) {
    const auto tokens = checked(dumpText(streamToken, "56", R"(
MINIDUMP_TOKEN_INFO_LIST it {
  TokenListSize: 56
  TokenListEntries: 2
  ListHeaderSize: 16
  ElementHeaderSize: 16
}
MINIDUMP_TOKEN_INFO_HEADER first {
  TokenSize: 24
  TokenId: 4711
  TokenHandle: 0x1c4
  Data: <0102030405060708>
}
MINIDUMP_TOKEN_INFO_HEADER second {
  TokenSize: 16
  TokenId: 4712
  Data: <>
}
)"),
                                {"tokens.0 at", "Data: <0102030405060708>", "TokenId: 4712"});
    EXPECT_EQ(attachment(opened(tokens), "stream/0x13").size(), 56U) << "and it is kept";
    checked(dumpText(streamHandleOperationList, "304", R"(
MINIDUMP_HANDLE_DATA_STREAM it {
  SizeOfHeader: 16
  SizeOfDescriptor: 288
  NumberOfDescriptors: 1
}
AVRF_HANDLE_OPERATION operation {
  Handle: 0x88
  ProcessId: 4711
  ThreadId: 12
  OperationType: 2
  Depth: 2
  ReturnAddress0: 0x7ffabc
}
)"),
            {"AVRF_HANDLE_OPERATION operations.0", "OperationType: 2"});
}

TEST(DescribedStreams, HandlesWithWhatIsKnownOfTheirObjects) {
    const auto file = checked(dumpText(streamHandleData, "96", R"(
MINIDUMP_HANDLE_DATA_STREAM it {
  SizeOfHeader: 16
  SizeOfDescriptor: 40
  NumberOfDescriptors: 2
}
MINIDUMP_HANDLE_DESCRIPTOR_2 mutant {
  Handle: 0x88
  TypeNameRva: @type
  ObjectInfoRva: @taken
}
MINIDUMP_HANDLE_DESCRIPTOR_2 event {
  Handle: 0x8c
  ObjectInfoRva: @unset
}
MINIDUMP_STRING type {
  Length: 12
  Buffer: "Mutant"
}
MINIDUMP_HANDLE_OBJECT_INFORMATION taken {
  NextInfoRva: @owner
  InfoType: 2
  SizeOfInfo: 8
  Info: <0000000000000000>
}
MINIDUMP_HANDLE_OBJECT_INFORMATION owner {
  InfoType: 3
  SizeOfInfo: 16
  Info: <6712000000000000 0c00000000000000>
}
MINIDUMP_HANDLE_OBJECT_INFORMATION unset {
  NextInfoRva: @count
  InfoType: 6
  SizeOfInfo: 8
  Info: <0100000000000000>
}
MINIDUMP_HANDLE_OBJECT_INFORMATION count {
  InfoType: 8
  SizeOfInfo: 8
  Info: <02000000 0a000000>
}
)"),
                              {"MINIDUMP_HANDLE_OBJECT_INFORMATION handle.0.info.1"});
    const Snapshot snapshot = opened(file);
    const auto& handles = snapshot.process->handles;
    ASSERT_EQ(handles.size(), 2U);
    EXPECT_EQ(handles[0].type, "Mutant");
    EXPECT_EQ(attachment(snapshot, "handles/owners"), "88 c\n");
    EXPECT_EQ(attachment(snapshot, "handles/objects"),
              "0x88 Mutant: taken once, owned by thread 12 of process 4711\n"
              "0x8c : auto reset, not set, count 2 of 10\n");
}

TEST(DescribedStreams, ObjectInformationThatLeadsInCirclesEnds) {
    const auto built = build(dumpText(streamHandleData, "56", R"(
MINIDUMP_HANDLE_DATA_STREAM it {
  SizeOfHeader: 16
  SizeOfDescriptor: 40
  NumberOfDescriptors: 1
}
MINIDUMP_HANDLE_DESCRIPTOR_2 event {
  ObjectInfoRva: @loop
}
MINIDUMP_HANDLE_OBJECT_INFORMATION loop {
  NextInfoRva: @loop
  InfoType: 6
  SizeOfInfo: 8
  Info: <0100000001000000>
}
)"));
    ASSERT_TRUE(built);
    EXPECT_NE(attachment(opened(*built), "handles/objects").find("auto reset, set"),
              std::string::npos);
}

TEST(DescribedStreams, CommentsAndJavaScript) {
    const auto plain = checked(dumpText(streamCommentA, "@it.size", R"(
Text it {
  Text: "taken by \"hand\""
}
)"),
                               {"Text comment"});
    EXPECT_EQ(attachment(opened(plain), "comment"), "taken by \"hand\"");
    const auto wide = checked(dumpText(streamCommentW, "@it.size", R"(
WideText it {
  Text: "größer"
}
)"),
                              {"WideText comment", "größer"});
    EXPECT_EQ(attachment(opened(wide), "comment"), "größer");
    for (const std::uint32_t type :
         {std::uint32_t{streamJavaScriptData}, std::uint32_t{streamIptTrace}, 0x12345678U}) {
        const auto kept = checked(dumpText(type, "@it.size", "bytes it {\n  0102030405\n}\n"), {});
        EXPECT_EQ(attachment(opened(kept), "stream/" + hex(type)).size(), 5U);
        const std::string name = type == streamJavaScriptData ? "JavaScriptDataStream"
                                 : type == streamIptTrace     ? "IptTraceStream"
                                                              : "stream_0x12345678";
        EXPECT_NE(described(kept).find(name), std::string::npos) << described(kept);
    }
}

TEST(DescribedStreams, ListsThatOverlapMultiplyNothing) {
    // Thousands of modules, all with one dictionary of thousands of entries.
    constexpr unsigned many = 4000;
    std::string text = fmt::format(R"(
MinidumpCrashpadInfo it {{
  ModuleListSize: {0}
  ModuleListRva: @links
  Rest: <>
}}
MinidumpModuleCrashpadInfo module {{
  SimpleAnnotationsSize: {1}
  SimpleAnnotationsRva: @entries
}}
Count entries {{
  Count: {2}
}}
bytes {{
  01 * {3}
}}
Count links {{
  Count: {2}
}}
)",
                                   4 + 12 * many, 4 + 8 * many, many, 8 * many);
    for (unsigned i = 0; i < many; ++i)
        text += "MinidumpModuleCrashpadInfoLink {\n  InfoSize: 28\n  InfoRva: @module\n}\n";
    const auto built = build(dumpText(streamCrashpadInfo, "@it.size", text));
    ASSERT_TRUE(built) << built.error().describe();
    const Snapshot snapshot = opened(*built);
    EXPECT_LE(snapshot.issues.items().size(), Issues::limit);
    EXPECT_FALSE(described(*built).empty());
}

TEST(DescribedStreams, ThreadsOfItanium) {
    const auto file = checked(dumpText(streamThreadExList, "68", R"(
Count it {
  Count: 1
}
MINIDUMP_THREAD_EX thread {
  ThreadId: 77
  Teb: 0x7ff000
  BackingStoreStart: 0x8000
}
)"),
                              {"MINIDUMP_THREAD_EX threads.0", "BackingStoreStart: 0x8000"});
    const Snapshot snapshot = opened(file);
    ASSERT_EQ(snapshot.process->threads.size(), 1U);
    EXPECT_EQ(snapshot.process->threads[0].id, 77U);
    EXPECT_EQ(snapshot.process->threads[0].tls, 0x7ff000U);
}

TEST(DescribedStreams, EmulationIsNoted) {
    const std::string text = dumpText(streamCommentA, "@it.size", "Text it {\n  Text: \"x\"\n}\n");
    const auto named = [&](std::string_view name) {
        std::string other = text;
        const auto at = other.find("Length: 12\n  Buffer: \"wo.exe\"");
        other.replace(at, std::string_view("Length: 12\n  Buffer: \"wo.exe\"").size(),
                      fmt::format("Length: {}\n  Buffer: \"{}\"", 2 * name.size(), name));
        return opened(build(other).value_or(std::vector<std::byte>()));
    };
    EXPECT_TRUE(named("wo.exe").issues.items().empty());
    const Snapshot wow = named("wow64.dll");
    ASSERT_EQ(wow.issues.items().size(), 1U);
    EXPECT_EQ(wow.issues.items()[0].severity, Severity::note);
    EXPECT_NE(wow.issues.items()[0].message.find("WOW64"), std::string::npos);
    EXPECT_NE(named("xtajit64.dll").issues.items().at(0).message.find("ARM64EC"),
              std::string::npos);
}

TEST(DescribedStreams, FunctionTables) {
    checked(dumpText(streamFunctionTable, "84", R"(
MINIDUMP_FUNCTION_TABLE_STREAM it {
  SizeOfHeader: 24
  SizeOfDescriptor: 32
  SizeOfNativeDescriptor: 16
  SizeOfFunctionEntry: 12
  NumberOfDescriptors: 1
}
MINIDUMP_FUNCTION_TABLE_DESCRIPTOR table {
  MinimumAddress: 0x10000
  MaximumAddress: 0x11000
  BaseAddress: 0x10000
  EntryCount: 1
}
bytes {
  00 * 16
  00010000 80010000 00080000
}
)"),
            {"MINIDUMP_FUNCTION_TABLE_DESCRIPTOR tables.0", "bytes tables.0.native",
             "bytes tables.0.entries"});
}

}  // namespace
}  // namespace icecore::minidump
