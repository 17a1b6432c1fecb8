// Streams of crash reporters (Breakpad, Crashpad) and of macOS out of a text, tested as those of
// Windows are in described_streams_test.cpp.
#include <gtest/gtest.h>

#include "formats/minidump/described_dump.h"

namespace icecore::minidump {
namespace {

TEST(DescribedStreams, BreakpadsAssertion) {
    const auto file = checked(dumpText(streamAssertionInfo, "@it.size", R"(
MDRawAssertionInfo it {
  expression: "count > 0"
  function: "shop::close"
  file: "shop.cpp"
  line: 42
  type: 1
}
)"),
                              {"MDRawAssertionInfo assertion", "expression: \"count > 0\""});
    EXPECT_EQ(attachment(opened(file), "assertion"), "count > 0 in shop::close (shop.cpp:42)");
    checked(dumpText(streamBreakpadInfo, "@it.size", R"(
MDRawBreakpadInfo it {
  validity: 3
  dump_thread_id: 5
  requesting_thread_id: 6
}
)"),
            {"MDRawBreakpadInfo breakpad", "requesting_thread_id: 6"});
}

TEST(DescribedStreams, CrashpadsAnnotations) {
    const auto file =
        checked(dumpText(streamCrashpadInfo, "@it.size", R"(
MinidumpCrashpadInfo it {
  version: 1
  SimpleAnnotationsSize: 12
  SimpleAnnotationsRva: @simple
  ModuleListSize: 16
  ModuleListRva: @links
  Rest: <00000000 0000000000000000>
}
Count simple {
  Count: 1
}
MinidumpSimpleStringDictionaryEntry simple.0 {
  key: @key
  value: @value
}
Count links {
  Count: 1
}
MinidumpModuleCrashpadInfoLink links.0 {
  minidump_module_list_index: 0
  InfoSize: @module.size
  InfoRva: @module
}
MinidumpModuleCrashpadInfo module {
  version: 1
  ListAnnotationsSize: 8
  ListAnnotationsRva: @list
  AnnotationObjectsSize: 16
  AnnotationObjectsRva: @objects
}
Count list {
  Count: 1
}
Rva list.0 {
  Rva: @message
}
Count objects {
  Count: 1
}
MinidumpAnnotation objects.0 {
  name: @key
  type: 1
  value: @message
}
MinidumpUTF8String key {
  Length: 7
  Buffer: "channel\x00"
}
MinidumpUTF8String value {
  Length: 4
  Buffer: "beta\x00"
}
MinidumpUTF8String message {
  Length: 12
  Buffer: "out of paper\x00"
}
)"),
                {"MinidumpCrashpadInfo crashpad", "MinidumpAnnotation", "out of paper"});
    const Snapshot snapshot = opened(file);
    EXPECT_EQ(attachment(snapshot, "annotations"),
              "channel=beta\nwo.exe: out of paper\nwo.exe: channel=out of paper\n");
    EXPECT_EQ(snapshot.provenance.tool, "Crashpad");
}

TEST(DescribedStreams, WhatLibrariesOfMacosLeftForTheReporter) {
    const auto file = checked(dumpText(streamMacCrashInfo, "@it.size", R"(
MDRawMacCrashInfo it {
  stream_type: 0x4d7a0001
  record_count: 2
  record_start_size: 40
  record0Size: @first.size
  record0Rva: @first
  record1Size: @second.size
  record1Rva: @second
}
MDRawMacCrashInfoRecord first {
  stream_type: 0x4d7a0001
  version: 5
  thread: 0x1f03
  abort_cause: 0x7
  strings: <2f6100 61626f7274282900 00 00 00>
}
MDRawMacCrashInfoRecord second {
  stream_type: 0x4d7a0001
  version: 5
  strings: <2f6200 00 73696700 62740a31 00 6d6f7265>
}
)",
                                       platformMac),
                              {"MDRawMacCrashInfo crash_info", "abort_cause: 0x7"});
    EXPECT_EQ(attachment(opened(file), "macos/crash_info"),
              "thread: 0x1f03\nabort cause: 0x7\nmodule: /a\nmessage: abort()\n"
              "module: /b\nsignature: sig\nbacktrace: bt\n1\nmessage2: more\n");
}

TEST(DescribedStreams, HowTheKernelOfMacosWasStarted) {
    const auto file = checked(dumpText(streamMacBootArguments, "@it.size", R"(
MDRawMacBootargs it {
  stream_type: 0x4d7a0002
  bootargs: @text
}
MINIDUMP_STRING text {
  Length: 4
  Buffer: "-v"
}
)",
                                       platformMac),
                              {"MDRawMacBootargs boot_arguments", "-v"});
    EXPECT_EQ(attachment(opened(file), "macos/boot_arguments"), "-v");
}

}  // namespace
}  // namespace icecore::minidump
