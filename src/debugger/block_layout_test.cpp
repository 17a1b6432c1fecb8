// Windows' blocks by the types of an ntdll that has other offsets than all known ones.
#include <gtest/gtest.h>

#include "debugger/windows_blocks.h"
#include "images/pe_image.h"
#include "support/windows_build.h"

namespace icecore::debugger {
namespace {

constexpr const char* source = R"cpp(
    struct _CLIENT_ID {
        void *UniqueProcess, *UniqueThread;
    };
    struct _PEB {
        void* first;
        void* Ldr;
        unsigned NtGlobalFlag;
    };
    struct _TEB {
        char more[0x100];
        _CLIENT_ID ClientId;
        unsigned LastErrorValue;
        _PEB* ProcessEnvironmentBlock;
    };
    _TEB teb;
    _PEB peb;
    extern "C" int start() {
        teb.ProcessEnvironmentBlock = &peb;
        return 0;
    }
)cpp";

TEST(BlockLayout, GoesByTheTypesOfNtdll) {
    if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
    const tests::Scratch scratch;
    const std::filesystem::path folder(scratch.file(""));
    ASSERT_EQ(tests::buildForWindows(folder, source, {.link = "/dll /noimplib", .name = "ntdll"}),
              "");
    const auto opened = openMappedFile(folder / "ntdll.dll");
    ASSERT_TRUE(opened.has_value());
    const auto image = PeImage::open(*opened);
    ASSERT_TRUE(image.has_value());
    Process process;
    process.system.os = Os::windows;
    process.system.arch = Arch::x86_64;
    Module module;
    module.range = Range::ofSize(0x170000000, (*image)->imageSize());
    module.path = "C:\\windows\\system32\\ntdll.dll";
    module.timestamp = (*image)->timestamp();
    module.imageSize = (*image)->imageSize();
    process.modules.items.push_back(module);
    Snapshot snapshot;
    snapshot.process = process;
    SymbolOptions options;
    options.path = folder.string();
    const auto session = Session::create(std::move(snapshot), options);
    ASSERT_TRUE(session.has_value());
    const BlockLayout layout = blockLayout(**session);
    EXPECT_EQ(layout.clientId, 0x100U);
    EXPECT_EQ(layout.lastError, 0x110U);
    EXPECT_EQ(layout.peb, 0x118U);
    EXPECT_EQ(layout.loader, 8U);
    EXPECT_EQ(layout.globalFlag, 0x10U);
    // What the types do not have is where it is known to be.
    const BlockLayout known = knownBlockLayout(Arch::x86_64);
    EXPECT_EQ(layout.heap, known.heap);
    EXPECT_EQ(layout.commandLine, known.commandLine);
    EXPECT_NE(known.lastError, layout.lastError);
}

}  // namespace
}  // namespace icecore::debugger
