// A .NET program that dumps itself with DllImport("dbghelp.dll"), as it would on Windows: called,
// from a handler of first-chance exceptions, and from one of unhandled ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/text.h"
#include "formats/format.h"
#include "support/paths.h"
#include "support/scratch.h"

namespace icecore::tests {
namespace {

using ::testing::HasSubstr;

// A program that was not built with the sanitizer brings its runtime all the same; the signals stay
// with .NET, which lives on them.
#if defined(__SANITIZE_ADDRESS__)
constexpr const char* sanitizer =
    "LD_PRELOAD=$(gcc -print-file-name=libasan.so) "
    "ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0 ";
#else
constexpr const char* sanitizer = "";
#endif

class DotNetSerial : public testing::TestWithParam<const char*> {
protected:
    static void SetUpTestSuite() {
        const ShellOutput version = shell("dotnet --version 2>/dev/null");
        if (version.status != 0) return;
        scratch = new Scratch;
        const auto parts = split(trim(version.text), '.');
        const ShellOutput built = shell(
            "DOTNET_CLI_TELEMETRY_OPTOUT=1 dotnet build " + sourceFile("tests/data/dotnet") +
            " -o " + scratch->file("out") + " -p:IcecoreFramework=net" + std::string(parts[0]) +
            ".0 -p:BaseIntermediateOutputPath=" + scratch->file("obj/") +
            " --nologo -v q -nodeReuse:false -p:UseSharedCompilation=false 2>&1");
        ASSERT_EQ(built.status, 0) << built.text;
    }
    static void TearDownTestSuite() {
        delete scratch;
        scratch = nullptr;
    }
    static inline Scratch* scratch = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Ways, DotNetSerial, testing::Values("call", "first-chance", "unhandled"));

TEST_P(DotNetSerial, DumpsItself) {
    if (scratch == nullptr) GTEST_SKIP() << "the .NET SDK is not installed";
#if defined(__SANITIZE_THREAD__) || defined(__clang__)
    GTEST_SKIP() << "this sanitizer's runtime cannot be brought into a .NET process";
#endif
    const std::string how = GetParam(), file = scratch->file(how + ".dmp");
    const std::string libraries = std::filesystem::path(program()).parent_path().string();
    const ShellOutput run = shell(
        "ulimit -c 0; cd " + scratch->file("") + " && DOTNET_DbgEnableMiniDump=0 " + sanitizer +
        "LD_LIBRARY_PATH=" + libraries + " dotnet out/minidump.dll " + how + " " + file + " 2>&1");
    EXPECT_THAT(run.text, HasSubstr("written"));
    // The program goes on, or dies of what it would have died of.
    if (how == "first-chance") {
        EXPECT_THAT(run.text, HasSubstr("caught"));
    }
    if (how == "unhandled") {
        EXPECT_THAT(run.text, HasSubstr("nobody catches this"));
    } else {
        EXPECT_EQ(run.status, 0) << run.text;
    }
    const auto dump = openDump(file);
    ASSERT_TRUE(dump) << dump.error().describe();
    EXPECT_EQ(dump->process->name, "dotnet");
    EXPECT_GT(dump->process->threads.size(), 3U);
    EXPECT_FALSE(dump->issues.lossy());
    const ShellOutput stacks = shell(program() + " open -c '~*k' " + file + " 2>&1");
    EXPECT_THAT(stacks.text, HasSubstr(" libcoreclr"));
    if (shell("lldb-14 --version 2>/dev/null").status == 0) {
        const ShellOutput lldb =
            shell("lldb-14 -b -c " + file + " -o 'thread list' -o 'image list' 2>&1");
        EXPECT_THAT(lldb.text, HasSubstr("* thread #1"));
        EXPECT_THAT(lldb.text, HasSubstr("libcoreclr.so"));
    }
}

}  // namespace
}  // namespace icecore::tests
