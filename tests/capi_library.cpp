// libicecore as its users meet it: installed somewhere, found by pkg-config and by CMake, and the
// examples built with it against real processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/format.h"
#include "open_core.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using ::testing::HasSubstr;

// What is linked to a sanitized library must bring the sanitizer's runtime.
#if defined(__clang__)
constexpr const char* compilers = "CC=clang-19 CXX=clang++-19 ";
#else
constexpr const char* compilers = "CC=gcc CXX=g++ ";
#endif
#if defined(__SANITIZE_ADDRESS__)
constexpr const char* sanitizers = "-fsanitize=address,undefined";
#elif defined(__SANITIZE_THREAD__)
constexpr const char* sanitizers = "-fsanitize=thread";
#else
constexpr const char* sanitizers = "";
#endif

std::string quoted(const std::string& text) {
    return "'" + text + "'";
}

/// An installation of its own, with the examples built by CMake as docs/api.md says.
class InstalledLibrary : public testing::Test {
protected:
    static void SetUpTestSuite() {
        scratch = new Scratch;
        const std::string build = std::filesystem::path(program()).parent_path().string();
        const ShellOutput installed =
            shell("cmake --install " + quoted(build) + " --prefix " + quoted(prefix()) + " 2>&1");
        ASSERT_EQ(installed.status, 0) << installed.text;
        const ShellOutput built =
            shell(compilers + std::string("CFLAGS=") + sanitizers + " CXXFLAGS=" + sanitizers +
                  " cmake -DCMAKE_PREFIX_PATH=" + quoted(prefix()) + " -S " +
                  quoted(sourceFile("examples")) + " -B " + quoted(scratch->file("examples")) +
                  " -G Ninja 2>&1 && cmake --build " + quoted(scratch->file("examples")) + " 2>&1");
        ASSERT_EQ(built.status, 0) << built.text;
    }
    static void TearDownTestSuite() {
        delete scratch;
        scratch = nullptr;
    }
    static std::string prefix() { return scratch->file("prefix"); }
    static ShellOutput example(const std::string& name, const std::string& arguments) {
        return shell(quoted(scratch->file("examples/" + name)) + " " + arguments + " 2>&1");
    }
    static inline Scratch* scratch = nullptr;
};

TEST_F(InstalledLibrary, DumpsAProcessAndReadsItsStacks) {
    Victim victim("capture_threads", {"named"});
    ASSERT_TRUE(victim.until("ready"));
    const std::string file = scratch->file("threads.core");
    const ShellOutput dumped = example("dump_process", file + " " + std::to_string(victim.pid()));
    ASSERT_EQ(dumped.status, 0) << dumped.text;
    EXPECT_THAT(dumped.text, HasSubstr("writing memory: "));
    EXPECT_THAT(dumped.text, HasSubstr("stood still for "));
    // The name is taken now, and the caller did not ask to replace it.
    const ShellOutput again = example("dump_process", file + " " + std::to_string(victim.pid()));
    EXPECT_EQ(again.status, 1);
    EXPECT_THAT(again.text, HasSubstr("already exists"));

    const ShellOutput read = example("read_dump", file);
    EXPECT_EQ(read.status, 0) << read.text;
    EXPECT_THAT(read.text, HasSubstr("capture_threads (pid " + std::to_string(victim.pid())));
    EXPECT_THAT(read.text, HasSubstr("capture_threads!main+0x"));
    EXPECT_THAT(read.text, HasSubstr("capture_threads.c:"));
    EXPECT_THAT(example("crash_summary", file).text,
                HasSubstr("nothing had happened to capture_threads"));
    EXPECT_TRUE(victim.alive());
}

TEST_F(InstalledLibrary, DumpsItself) {
    for (const std::string name : {"self.core", "self.dmp"}) {
        const ShellOutput dumped = example("dump_process", scratch->file(name));
        ASSERT_EQ(dumped.status, 0) << dumped.text;
        const auto snapshot = openDump(scratch->file(name));
        ASSERT_TRUE(snapshot) << snapshot.error().describe();
        EXPECT_EQ(snapshot->process->name, "dump_process");
        const ShellOutput read = example("read_dump", scratch->file(name));
        EXPECT_THAT(read.text, HasSubstr("icecore_dump_self"));
        EXPECT_THAT(read.text, HasSubstr("dump_process!main"));
    }
}

TEST_F(InstalledLibrary, SaysWhatHappenedInACrash) {
    const CrasherCore core;
    ASSERT_TRUE(core.made());
    const ShellOutput crash = example("crash_summary", core.path());
    EXPECT_EQ(crash.status, 0) << crash.text;
    EXPECT_THAT(crash.text, HasSubstr("code 11 in thread "));
    EXPECT_THAT(crash.text, HasSubstr("  crasher!"));

    EXPECT_EQ(example("crash_summary", scratch->file("nothing")).status, 1);
    EXPECT_THAT(example("crash_summary", scratch->file("nothing")).text, HasSubstr("No such file"));
    EXPECT_THAT(example("crash_summary", program()).text, HasSubstr("an ELF program"));
}

TEST_F(InstalledLibrary, IsFoundByPkgConfigAndLinkedStatically) {
    const std::string packages =
        "PKG_CONFIG_PATH=$(dirname $(find " + quoted(prefix()) + " -name icecore.pc)) ";
    const std::string source = quoted(sourceFile("examples/read_dump.c"));
    const std::string compiler =
        std::string(compilers).find("clang") != std::string::npos ? "clang-19 " : "gcc ";
    const ShellOutput shared =
        shell(packages + "sh -c '" + compiler + sanitizers + " -o " + scratch->file("shared") +
              " '" + source + "' $(pkg-config --cflags --libs icecore)' 2>&1");
    ASSERT_EQ(shared.status, 0) << shared.text;
    // The archive instead of the library: nothing of icecore is needed beside the program then.
    const ShellOutput fixed = shell(packages + "sh -c '" + compiler + sanitizers + " -o " +
                                    scratch->file("static") + " '" + source +
                                    "' $(pkg-config --static --cflags --libs icecore | sed "
                                    "s/-licecore/-l:libicecore.a/)' 2>&1");
    ASSERT_EQ(fixed.status, 0) << fixed.text;
    EXPECT_THAT(shell("ldd " + scratch->file("static")).text,
                testing::Not(HasSubstr("libicecore")));
    EXPECT_EQ(shell(scratch->file("static") + " " + scratch->file("nothing") + " 2>&1").status, 1);
}

TEST_F(InstalledLibrary, ExportsItsFunctionsAndNothingElse) {
    const ShellOutput names =
        shell("nm -D --defined-only $(find " + quoted(prefix()) +
              " -name libicecore.so) | awk '{print $3}' | grep -v ^ICECORE_0");
    std::size_t count = 0;
    for (std::size_t at = 0; at < names.text.size(); ++count) {
        const std::size_t end = names.text.find('\n', at);
        const std::string name = names.text.substr(at, end - at);
        EXPECT_TRUE(name.starts_with("icecore_") && name.ends_with("@@ICECORE_0")) << name;
        at = end + 1;
    }
    EXPECT_EQ(count, 21U) << names.text;
}

}  // namespace
}  // namespace icecore::tests
