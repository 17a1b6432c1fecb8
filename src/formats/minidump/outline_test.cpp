// The parts of a minidump in the form of `.dumpdebug`, of a dump with each kind of list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/minidump/layout.h"
#include "formats/minidump/minidump.h"

namespace icecore::minidump {
namespace {

using testing::HasSubstr;

constexpr std::string_view dumpOfAll = R"(
MINIDUMP_HEADER header at 0 {
  Signature: "MDMP"
  Version: 0xa043a793
  NumberOfStreams: 11
  StreamDirectoryRva: @directory.0
  Flags: 0x2000021
}
MINIDUMP_DIRECTORY directory.0 at 0x20 {
  StreamType: 7
  DataSize: @system.size
  Rva: @system
}
MINIDUMP_DIRECTORY directory.1 {
  StreamType: 3
  DataSize: 52
  Rva: @threads
}
MINIDUMP_DIRECTORY directory.2 {
  StreamType: 4
  DataSize: 112
  Rva: @modules
}
MINIDUMP_DIRECTORY directory.3 {
  StreamType: 5
  DataSize: 36
  Rva: @memory
}
MINIDUMP_DIRECTORY directory.4 {
  StreamType: 6
  DataSize: @exception.size
  Rva: @exception
}
MINIDUMP_DIRECTORY directory.5 {
  StreamType: 14
  DataSize: 36
  Rva: @unloaded
}
MINIDUMP_DIRECTORY directory.6 {
  StreamType: 9
  DataSize: 32
  Rva: @memory64
}
MINIDUMP_DIRECTORY directory.7 {
  StreamType: 24
  DataSize: 16
  Rva: @names
}
MINIDUMP_DIRECTORY directory.8 {
  StreamType: 12
  DataSize: 48
  Rva: @handles
}
MINIDUMP_DIRECTORY directory.9 {
  StreamType: 0xfff0
  DataSize: 4
  Rva: @names
}
MINIDUMP_DIRECTORY directory.10 {
  StreamType: 0
}
MINIDUMP_SYSTEM_INFO system {
  ProcessorArchitecture: 9
  ProcessorLevel: 6
  ProcessorRevision: 0x4501
  NumberOfProcessors: 8
  ProductType: 1
  MajorVersion: 10
  BuildNumber: 19045
  PlatformId: 2
  CSDVersionRva: @text
  SuiteMask: 0x110
}
Count threads {
  Count: 1
}
MINIDUMP_THREAD threads.0 {
  ThreadId: 0x1a4
  Teb: 0x7ff61000
}
Count modules {
  Count: 1
}
MINIDUMP_MODULE modules.0 {
  BaseOfImage: 0x140000000
  SizeOfImage: 0x8000
  CheckSum: 0x77
  TimeDateStamp: 0x6b09e5e3
  ModuleNameRva: @text
  Reserved0: 0x8160
}
Count memory {
  Count: 2
}
MINIDUMP_MEMORY_DESCRIPTOR memory.0 {
  StartOfMemoryRange: 0x1000
  DataSize: 0x10
  Rva: 0x200
}
MINIDUMP_MEMORY_DESCRIPTOR memory.1 {
  StartOfMemoryRange: 0x7ff600002000
  DataSize: 0x20
  Rva: 0x210
}
MINIDUMP_EXCEPTION_STREAM exception {
  ThreadId: 420
  ExceptionCode: 0xc0000005
  ExceptionAddress: 0x140001215
  ContextSize: 0x4d0
  ContextRva: 0x300
}
ListHeader unloaded {
  SizeOfHeader: 12
  SizeOfEntry: 24
  NumberOfEntries: 1
}
MINIDUMP_UNLOADED_MODULE unloaded.0 {
  BaseOfImage: 0x351a60000
  SizeOfImage: 0x7b000
  ModuleNameRva: @text
}
MINIDUMP_MEMORY64_LIST memory64 {
  NumberOfMemoryRanges: 1
  BaseRva: 0x220
}
MINIDUMP_MEMORY_DESCRIPTOR64 memory64.0 {
  StartOfMemoryRange: 0x3000
  DataSize: 0x40
}
Count names {
  Count: 1
}
MINIDUMP_THREAD_NAME names.0 {
  ThreadId: 0x1a4
  RvaOfThreadName: @text
}
MINIDUMP_HANDLE_DATA_STREAM handles {
  SizeOfHeader: 16
  SizeOfDescriptor: 32
  NumberOfDescriptors: 1
}
MINIDUMP_HANDLE_DESCRIPTOR handles.0 {
  Handle: 0x54
  TypeNameRva: @text
  ObjectNameRva: 0
}
MINIDUMP_STRING text {
  Length: 4
  Buffer: "ab"
}
)";

TEST(MinidumpOutline, HasALineForEachThing) {
    const auto file = build(dumpOfAll);
    ASSERT_TRUE(file) << file.error().describe();
    const auto text = outline(memorySource(*file, "all.dmp"));
    ASSERT_TRUE(text) << text.error().describe();
    for (const char* line : {
             "----- User Mini Dump Analysis\n\nMINIDUMP_HEADER:\nVersion         A793 (A043)\n"
             "NumberOfStreams 11\nFlags           02000021\n"
             "                00000001 MiniDumpWithDataSegs\n"
             "                00000020 MiniDumpWithUnloadedModules\n\nStreams:\n",
             "\nStream 0: type SystemInfoStream (7), size 00000038, RVA 000000A4\n",
             "\n  ProcessorArchitecture   0009 (PROCESSOR_ARCHITECTURE_AMD64)\n",
             "\n  BuildNumber             00004A65 (19045)\n",
             "(VER_PLATFORM_WIN32_NT)\n",
             "\n                            Length: 4\n                            Buffer: "
             "{'ab'}\n",
             "\n  Product: WinNt, suite: TerminalServer SingleUserTS\n",
             "\n  1 threads\n  RVA ",
             ", ID 1A4, Teb:000000007FF61000\n",
             "\n  1 modules\n  RVA ",
             ", 00000001`40000000 - 00000001`40008000: 'ab', DllCharacteristics: 8160, Timestamp: "
             "6b09e5e3, CheckSum: 77\n",
             "\n  2 memory ranges\n  range#    RVA      Address             Size\n"
             "       0 00000200    00000000`00001000   00000000`00000010\n"
             "       1 00000210    00007ff6`00002000   00000000`00000020\n  Total memory: 30\n",
             "\n  ThreadID 420\n  ExceptionCode C0000005\n  ExceptionRecord 0\n"
             "  ExceptionAddress 140001215\n  Context record RVA 300, size 4d0\n",
             "\n  1 unloaded modules\n  RVA ",
             ", 00000003`51a60000 - 00000003`51adb000: 'ab'\n",
             "\n  1 memory ranges\n  RVA 0x220 BaseRva\n"
             "  range#    RVA      Address             Size\n"
             "       0 00000220    00000000`00003000   00000000`00000040\n  Total memory: 40\n",
             "\nFound 1 thread description(s).\nThread 0x000001a4: 'ab'.\n",
             "\n  1 descriptors, header size is 16, descriptor size is 32\n"
             "    Handle(0000000000000054,\"ab\",\"\")\n",
             "\nStream 9: type ??? (65520), size 00000004, RVA ",
             "\nStream 10: type UnusedStream (0), size 00000000, RVA 00000000\n",
         })
        EXPECT_THAT(*text, HasSubstr(line));
    EXPECT_THAT(*text, testing::Not(HasSubstr("Damaged:")));
}

TEST(MinidumpOutline, DamageIsToldAndBounded) {
    const auto file = build(dumpOfAll);
    ASSERT_TRUE(file) << file.error().describe();
    for (std::size_t size = 0; size < file->size(); ++size) {
        const auto cut = outline(memorySource({file->data(), file->data() + size}, "cut.dmp"));
        EXPECT_LT(cut.value_or("").size(), 20'000U);
    }
    for (std::size_t at = 4; at + 4 <= file->size(); at += 4) {
        for (const std::uint32_t value : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
            std::vector<std::byte> broken = *file;
            storeInteger(broken.data() + at, value);
            const auto text = outline(memorySource(broken, "broken.dmp"));
            EXPECT_LT(text.value_or("").size(), 200'000U) << at;
        }
    }
    // More threads than there is room for.
    std::string_view promise = "Count threads {\n  Count: 1";
    std::string lying(dumpOfAll);
    lying.replace(lying.find(promise), promise.size(), "Count threads {\n  Count: 4000000000");
    const auto built = build(lying);
    ASSERT_TRUE(built) << built.error().describe();
    const auto text = outline(memorySource(*built, "lies.dmp"));
    ASSERT_TRUE(text);
    EXPECT_THAT(*text, HasSubstr("\n  4000000000 threads\n"));
    EXPECT_THAT(*text, HasSubstr("Damaged: threads: 4000000000 entries promised, room for 1"));
}

}  // namespace
}  // namespace icecore::minidump
