// A watch that lasts: a target that crashes again and again (and catches it), throws, makes threads
// that come and go, and loads and unloads; two hundred dumps of that, some while others are
// written. Nothing is lost, nothing stays behind.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "formats/format.h"
#include "support/procdump.h"

namespace icecore::tests {
namespace {

constexpr std::size_t dumps = 200;

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at)
        ++found;
    return found;
}

/// How a watch is asked to take its dumps.
class WatchSoak : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Flows, WatchSoak, testing::Values("", "-r 5"),
                         [](const auto& way) { return way.index == 0 ? "Waiting" : "Beside"; });

TEST_P(WatchSoak, TwoHundredDumpsOfATargetThatCrashesThrowsAndChurns) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    // Four threads that do nothing but start and end others.
    victim.tell("churn 4\n");
    ASSERT_EQ(victim.line(), "ok");
    const ProcdumpRun procdump;
    auto done = std::async(std::launch::async, [&] {
        return procdump.run(std::string("-mm -e 1 -n ") + std::to_string(dumps) + " " + GetParam() +
                                " " + std::to_string(victim.pid()),
                            900);
    });
    ASSERT_TRUE(procdump.begun());
    // Each line is one event; a fault is one that its handler jumps out of.
    const char* const deeds[] = {"survive-crash\n", "throw runtime again\n", "survive-crash\n",
                                 "thread-throw shelf there\n"};
    for (std::size_t i = 0; i < dumps; ++i) {
        victim.tell(deeds[i % std::size(deeds)]);
        ASSERT_EQ(victim.line(), "ok") << i;
        if (i % 10 == 0) {
            victim.tell("load libBrokenLocale.so.1\nunload\n");
            ASSERT_EQ(victim.line(), "ok");
            ASSERT_EQ(victim.line(), "ok");
        }
    }
    const ShellOutput output = done.get();
    EXPECT_EQ(output.status, 0) << output.text;
    EXPECT_EQ(count(output.text, "complete: "), dumps) << output.text;
    const auto names = procdump.written();
    ASSERT_EQ(names.size(), dumps);
    std::size_t faults = 0;
    for (const std::string& name : names) {
        const auto dump = openDump(procdump.file(name));
        ASSERT_TRUE(dump) << name << ": " << dump.error().describe();
        ASSERT_TRUE(dump->process->exception) << name;
        EXPECT_NE(dump->process->thread(dump->process->exception->threadId), nullptr) << name;
        faults += dump->process->exception->code == SIGSEGV ? 1 : 0;
    }
    EXPECT_EQ(faults, dumps / 2);
    EXPECT_TRUE(victim.alive());
    EXPECT_EQ(statusValue(victim.pid(), "TracerPid"), "0");
    EXPECT_EQ(statusValue(victim.pid(), "SigPnd"), "0000000000000000");
    EXPECT_TRUE(eventually([&] { return childrenOf(victim.pid()).empty(); }));
    // Nothing of us is in it: it throws and faults on as before.
    victim.tell("throw-many 100\nsurvive-crash\n");
    EXPECT_EQ(victim.line(), "ok");
    EXPECT_EQ(victim.line(), "ok");
}

/// Programs that crash one after the other, each launched under a watch of its own.
TEST(WatchSoakLaunched, EveryCrashOfACrashLoop) {
    const ProcdumpRun procdump;
    const Scratch scratch;
    std::ofstream(scratch.file("deeds")) << "thread-crash\n";
    for (int i = 0; i < 100; ++i) {
        const ShellOutput output = procdump.run(
            "-mm -e -x " + procdump.folder() + " " + target("events"), 60, scratch.file("deeds"));
        ASSERT_EQ(output.status, 0) << output.text;
        ASSERT_EQ(procdump.written().size(), 1U) << i << output.text;
        const std::string file = procdump.file(procdump.written()[0]);
        const auto dump = openDump(file);
        ASSERT_TRUE(dump) << dump.error().describe();
        ASSERT_TRUE(dump->process->exception);
        EXPECT_EQ(dump->process->exception->code, static_cast<std::uint32_t>(SIGSEGV));
        std::filesystem::remove(file);
    }
}

}  // namespace
}  // namespace icecore::tests
