// How `icecore dump` and procdump take their dumps: several kinds at once, beside a watch that goes
// on, with a time limit, a comment, a callback library; whom they watch, and how they are ended.
#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "formats/format.h"
#include "support/procdump.h"

namespace icecore::tests {
namespace {

std::string pidOf(const Victim& victim) {
    return std::to_string(victim.pid());
}

std::size_t occurrences(const std::string& text, const std::string& what) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at)
        ++count;
    return count;
}

TEST(DumpFlow, ACommentIsKeptInBothFormats) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    const Scratch scratch;
    for (const char* name : {"a.dmp", "a.core"}) {
        const std::string file = scratch.file(name);
        ASSERT_EQ(shell(program() + " dump " + pidOf(victim) + " --comment 'Füllstand: 7 %' -o " +
                        file + " 2>&1")
                      .status,
                  0);
        const auto dump = openDump(file);
        ASSERT_TRUE(dump) << dump.error().describe();
        ASSERT_NE(dump->attachment("comment"), nullptr) << name;
        EXPECT_EQ(dump->attachment("comment")->text(), "Füllstand: 7 %") << name;
        EXPECT_NE(shell(program() + " info " + file).text.find("Füllstand: 7 %"),
                  std::string::npos);
    }
    // As Windows' tools look for it: CommentStreamW is stream 11, in UTF-16.
    const std::string described = shell(program() + " describe " + scratch.file("a.dmp")).text;
    EXPECT_NE(described.find("StreamType: 0xb\n"), std::string::npos);
    EXPECT_NE(described.find("WideText comment at "), std::string::npos);
    const ProcdumpRun procdump;
    ASSERT_EQ(procdump.run("-mm -dc \"why it was taken\" " + pidOf(victim)).status, 0);
    ASSERT_EQ(procdump.written().size(), 1U);
    const auto dump = openDump(procdump.file(procdump.written()[0]));
    ASSERT_TRUE(dump);
    ASSERT_NE(dump->attachment("comment"), nullptr);
    EXPECT_EQ(dump->attachment("comment")->text(), "why it was taken");
}

TEST(DumpFlow, SeveralTypesAreOfOneMoment) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    const Scratch scratch;
    const ShellOutput done = shell(program() + " dump " + pidOf(victim) +
                                   " --format minidump --type mini --type full -o " +
                                   scratch.file("both.dmp") + " 2>&1");
    ASSERT_EQ(done.status, 0) << done.text;
    const auto mini = openDump(scratch.file("both.dmp"));
    const auto full = openDump(scratch.file("both_2.dmp"));
    ASSERT_TRUE(mini && full) << done.text;
    EXPECT_EQ(mini->provenance.time, full->provenance.time);
    EXPECT_LT(mini->provenance.bytes, full->provenance.bytes);
    EXPECT_EQ(mini->provenance.type, "mini");
    EXPECT_EQ(full->provenance.type, "full");
}

// The victim holds 96 MiB that cost time to write.
class DumpBeside : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(victim_.line(), "ready");
        victim_.tell("random 96\n");
        ASSERT_EQ(victim_.line(), "ok");
    }
    Victim victim_{"events"};
};

TEST_F(DumpBeside, TheWatchGoesOnWhileDumpsAreWritten) {
    const ProcdumpRun procdump;
    auto done = std::async(std::launch::async,
                           [&] { return procdump.run("-ma -r 3 -n 3 -e 1 " + pidOf(victim_)); });
    ASSERT_TRUE(procdump.begun());
    victim_.tell("throw-many 3\n");
    ASSERT_EQ(victim_.line(), "ok");
    const ShellOutput output = done.get();
    EXPECT_EQ(output.status, 0) << output.text;
    EXPECT_EQ(procdump.written().size(), 3U) << output.text;
    for (const std::string& name : procdump.written()) {
        const auto dump = openDump(procdump.file(name));
        ASSERT_TRUE(dump) << dump.error().describe();
        ASSERT_TRUE(dump->process->exception);
        EXPECT_NE(dump->process->thread(dump->process->exception->threadId), nullptr);
        EXPECT_TRUE(dump->unread.empty());
    }
    EXPECT_TRUE(victim_.alive());
    EXPECT_TRUE(eventually([&] { return childrenOf(victim_.pid()).empty(); }));
    EXPECT_EQ(statusValue(victim_.pid(), "TracerPid"), "0");
}

TEST_F(DumpBeside, OneTooManyIsLeftOutWhereAskedFor) {
    const ProcdumpRun procdump;
    auto done = std::async(std::launch::async,
                           [&] { return procdump.run("-ma -r -a -n 2 -e 1 " + pidOf(victim_)); });
    ASSERT_TRUE(procdump.begun());
    victim_.tell("throw-many 4\n");
    ASSERT_EQ(victim_.line(), "ok");
    ASSERT_TRUE(eventually([&] { return !procdump.written().empty(); }));
    ASSERT_TRUE(eventually([&] { return childrenOf(victim_.pid()).empty(); }));
    // The place is free in a moment.
    ASSERT_TRUE(eventually([&] {
        victim_.tell("throw-many 1\n");
        return victim_.line() == "ok" &&
               done.wait_for(std::chrono::milliseconds(100)) == std::future_status::ready;
    }));
    const ShellOutput output = done.get();
    EXPECT_EQ(output.status, 0) << output.text;
    EXPECT_EQ(procdump.written().size(), 2U) << output.text;
    EXPECT_GE(occurrences(output.text, "Skipped (-a)"), 1U) << output.text;
    EXPECT_TRUE(victim_.alive());
}

TEST_F(DumpBeside, WhatTakesTooLongIsGivenUp) {
    // The reader comes too late.
    const Scratch scratch;
    (void)shell("{ " + program() + " dump " + pidOf(victim_) +
                " --type full --timeout 0.5 -o - 2>" + scratch.file("said") + "; echo $? >" +
                scratch.file("code") + "; } | (sleep 2; cat >/dev/null)");
    EXPECT_EQ(readText(scratch.file("code")), "1\n");
    EXPECT_NE(readText(scratch.file("said")).find("given up: not written within 0.5 s"),
              std::string::npos)
        << readText(scratch.file("said"));
    EXPECT_TRUE(victim_.alive());
    EXPECT_EQ(statusValue(victim_.pid(), "TracerPid"), "0");
}

TEST(DumpFlow, ACallbackLibraryDecides) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    victim.tell("park 3\n");
    ASSERT_EQ(victim.line(), "ok");
    const Scratch scratch;
    std::ofstream(scratch.file("callback.c")) << R"(
#include <icecore/minidump.h>
int32_t MiniDumpCallbackRoutine(void* unused, MINIDUMP_CALLBACK_INPUT* in,
                                MINIDUMP_CALLBACK_OUTPUT* out) {
    (void)unused; (void)out;
    /* Every thread but the leader is left out. */
    if (in->CallbackType == IncludeThreadCallback)
        return in->u.IncludeThread.ThreadId == in->ProcessId;
    return 1;
}
)";
    const ShellOutput built =
        shell("cc -shared -fPIC -I " + sourceFile("include") + " -o " +
              scratch.file("callback.so") + " " + scratch.file("callback.c") + " 2>&1");
    ASSERT_EQ(built.status, 0) << built.text;
    const ProcdumpRun procdump;
    const ShellOutput done =
        procdump.run("-md " + scratch.file("callback.so") + " " + pidOf(victim));
    ASSERT_EQ(done.status, 0) << done.text;
    ASSERT_EQ(procdump.written().size(), 1U);
    const auto dump = openDump(procdump.file(procdump.written()[0]));
    ASSERT_TRUE(dump) << dump.error().describe();
    EXPECT_EQ(dump->process->threads.size(), 1U);
    ASSERT_EQ(procdump.run("-mm " + pidOf(victim) + " twin.dmp").status, 0);
    const auto twin = openDump(procdump.file("twin.dmp"));
    ASSERT_TRUE(twin);
    EXPECT_EQ(twin->process->threads.size(), 4U);
    // What is no such library is told before anything is done.
    for (const std::string& library : {target("crasher"), scratch.file("missing.so")}) {
        const ShellOutput wrong = procdump.run("-md " + library + " " + pidOf(victim));
        EXPECT_EQ(wrong.status, 255) << wrong.text;
    }
}

TEST(DumpFlow, EveryProcessOfAGroup) {
    Victim first("events", {}, [] { ::setpgid(0, 0); });
    ASSERT_EQ(first.line(), "ready");
    const pid_t group = first.pid();
    Victim second("events", {}, [group] { ::setpgid(0, group); });
    ASSERT_EQ(second.line(), "ready");
    Victim stranger("events");
    ASSERT_EQ(stranger.line(), "ready");
    const ProcdumpRun procdump;
    const ShellOutput done = procdump.run("-pgid " + std::to_string(group));
    EXPECT_EQ(done.status, 0) << done.text;
    const auto names = procdump.written();
    ASSERT_EQ(names.size(), 2U) << done.text;
    for (const Victim* member : {&first, &second}) {
        EXPECT_TRUE(std::ranges::any_of(names, [&](const std::string& name) {
            return name.ends_with("." + pidOf(*member));
        })) << done.text;
    }
    // With a trigger each is watched for itself, and who joins later, too.
    const Scratch scratch;
    auto watch = std::async(std::launch::async, [&] {
        return shell("timeout -s INT 50 " + program() + " dump --pgid " + std::to_string(group) +
                     " --exception second -o " + scratch.file("%p.core") + " 2>&1");
    });
    ASSERT_TRUE(eventually([&] { return statusValue(second.pid(), "TracerPid") != "0"; }));
    Victim third("events", {}, [group] { ::setpgid(0, group); });
    ASSERT_EQ(third.line(), "ready");
    ASSERT_TRUE(eventually([&] { return statusValue(third.pid(), "TracerPid") != "0"; }));
    EXPECT_EQ(statusValue(stranger.pid(), "TracerPid"), "0");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    for (Victim* victim : {&first, &third})
        victim->tell("crash\n");
    second.tell("exit 0\n");
    const ShellOutput watched = watch.get();
    EXPECT_EQ(watched.status, 0) << watched.text;
    EXPECT_TRUE(std::filesystem::exists(scratch.file(pidOf(first) + ".core"))) << watched.text;
    EXPECT_TRUE(std::filesystem::exists(scratch.file(pidOf(third) + ".core"))) << watched.text;
    EXPECT_FALSE(std::filesystem::exists(scratch.file(pidOf(second) + ".core")));
    EXPECT_EQ(procdump.run("-pgid 4194000").status, 255);
}

TEST(DumpFlow, AWatchIsCancelledFromOutside) {
    Victim victim("events");
    ASSERT_EQ(victim.line(), "ready");
    const ProcdumpRun procdump;
    EXPECT_EQ(procdump.run("-cancel " + pidOf(victim)).status, 255) << "nobody watches it";
    auto events =
        std::async(std::launch::async, [&] { return procdump.run("-ma -e 1 " + pidOf(victim)); });
    const ProcdumpRun other;
    auto levels =
        std::async(std::launch::async, [&] { return other.run("-m 100000 " + pidOf(victim)); });
    ASSERT_TRUE(procdump.begun());
    ASSERT_TRUE(other.begun());
    const ShellOutput cancelled = shell(program() + " dump --cancel " + pidOf(victim) + " 2>&1");
    EXPECT_EQ(cancelled.status, 0) << cancelled.text;
    EXPECT_NE(cancelled.text.find("2 watches"), std::string::npos) << cancelled.text;
    EXPECT_EQ(events.get().status, 0);
    EXPECT_EQ(levels.get().status, 0);
    EXPECT_TRUE(procdump.written().empty());
    EXPECT_EQ(statusValue(victim.pid(), "TracerPid"), "0");
    victim.tell("throw runtime nobody looks\n");
    EXPECT_EQ(victim.line(), "ok");
}

TEST(DumpFlow, KilledAfterTheLastDumpAndNotBefore) {
    for (const char* switches : {"-ma -k -n 2 -s 1", "-ma -k -r", "-ma -k -e 1 -r 2 -n 2"}) {
        Victim victim("events");
        ASSERT_EQ(victim.line(), "ready");
        const ProcdumpRun procdump;
        auto done = std::async(std::launch::async, [&] {
            return procdump.run(std::string(switches) + " " + pidOf(victim));
        });
        ASSERT_TRUE(procdump.begun()) << switches;
        if (std::string(switches).find("-e") != std::string::npos) {
            victim.tell("throw runtime first\n");
            ASSERT_EQ(victim.line(), "ok");
            EXPECT_TRUE(victim.alive());
            victim.tell("throw runtime second\n");
        }
        const ShellOutput output = done.get();
        EXPECT_EQ(output.status, 0) << switches << output.text;
        EXPECT_EQ(WTERMSIG(victim.wait()), SIGKILL) << switches;
        EXPECT_EQ(procdump.written().size(),
                  std::string(switches).find("-n 2") != std::string::npos ? 2U : 1U)
            << output.text;
        for (const std::string& name : procdump.written())
            EXPECT_TRUE(openDump(procdump.file(name))) << name;
    }
}

// In a mount namespace of its own stands a /dev/log whose other end is the test's.
TEST(DumpFlow, TheSystemsLogIsToldAndListenedTo) {
    const Scratch scratch;
    std::filesystem::create_symlink(program(), scratch.file("procdump"));
    std::ofstream(scratch.file("log.py")) << R"(
import os, socket, subprocess, sys
procdump, events, folder = sys.argv[1:4]
def mount(*words): subprocess.run(["mount", *words], check=True)
os.makedirs(folder + "/dev")
mount("--rbind", "/dev", folder + "/dev")
mount("-t", "tmpfs", "tmpfs", "/dev")
for name in os.listdir(folder + "/dev"):
    if name != "log": os.symlink(folder + "/dev/" + name, "/dev/" + name)
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
log.settimeout(30)
victim = subprocess.Popen([events], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
victim.stdout.readline()
watch = subprocess.Popen([procdump, "-ma", "-l", "-f", "NotFound", "-log", "syslog",
                          str(victim.pid)], cwd=folder)
told = ""
def hear(what):
    global told
    while what not in told: told += log.recv(65536).decode() + "\n"
hear("Starting monitor")
def deed(text):
    victim.stdin.write(text + "\n"); victim.stdin.flush(); victim.stdout.readline()
deed("syslog all is well")
deed("log on the wrong stream: fine")
deed("syslog page NotFound")
hear("Dump count reached")
print("exit", watch.wait())
print(told)
victim.kill()
)";
    const ShellOutput allowed = shell("unshare -m true 2>/dev/null");
    if (allowed.status != 0) GTEST_SKIP() << "no mount namespace can be had";
    const ShellOutput done =
        shell("unshare -m --propagation private python3 " + scratch.file("log.py") + " " +
              scratch.file("procdump") + " " + target("events") + " " + scratch.file("") + " 2>&1");
    EXPECT_NE(done.text.find("exit 0"), std::string::npos) << done.text;
    EXPECT_NE(done.text.find("Trigger: "), std::string::npos) << done.text;
    EXPECT_NE(done.text.find("page NotFound"), std::string::npos) << done.text;
    EXPECT_EQ(occurrences(done.text, "complete: "), 1U) << done.text;
}

}  // namespace
}  // namespace icecore::tests
