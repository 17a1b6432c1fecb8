// icecore under the name procdump: each way to ask for a dump, with a target that meets it and a
// twin that does not.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "formats/format.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

class Procdump : public testing::Test {
protected:
    void SetUp() override {
        std::filesystem::create_symlink(program(), scratch_.file("procdump"));
        std::filesystem::create_directory(scratch_.file("out"));
    }
    ShellOutput run(const std::string& arguments) const {
        return shell("cd " + scratch_.file("out") + " && ../procdump " + arguments + " 2>&1");
    }
    [[nodiscard]] std::vector<std::string> written() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(scratch_.file("out")))
            names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }
    void clear() const {
        for (const std::string& name : written())
            std::filesystem::remove(scratch_.file("out/" + name));
    }

    Scratch scratch_;
};

TEST_F(Procdump, LevelsAreMetOrNot) {
    Victim victim("capture_threads", {"many", "40"});
    ASSERT_EQ(victim.line(), "ready");
    const std::string pid = std::to_string(victim.pid());
    struct Case {
        const char* switches;
        const char* kind;  ///< in the name; null: a minidump
    };
    for (const Case& each : {Case{"", "manual"}, Case{"-s 1 -n 1", "time"},
                             Case{"-tc 40 -s 0", "thread"}, Case{"-fc 3 -s 0", "filedesc"},
                             Case{"-cl 90 -s 1", "cpu"}, Case{"-ml 100000 -s 0", "commit"},
                             Case{"-mm", nullptr}, Case{"-ma -tc 40 -s 0", nullptr}}) {
        const ShellOutput output = run(std::string(each.switches) + " " + pid);
        EXPECT_EQ(output.status, 0) << each.switches << output.text;
        const auto names = written();
        ASSERT_EQ(names.size(), 1U) << each.switches << output.text;
        const std::string begin = each.kind != nullptr
                                      ? "capture_threads_" + std::string(each.kind) + "_"
                                      : std::string("capture_threads_");
        EXPECT_TRUE(names[0].starts_with(begin)) << names[0];
        EXPECT_TRUE(names[0].ends_with(each.kind != nullptr ? "." + pid : ".dmp")) << names[0];
        const auto dump = openDump(scratch_.file("out/" + names[0]));
        ASSERT_TRUE(dump) << dump.error().describe();
        EXPECT_GT(dump->process->threads.size(), 40U);
        clear();
    }
    // The twins: what it never reaches is not dumped while it lives.
    for (const char* switches :
         {"-tc 4000 -s 0", "-fc 4000 -s 0", "-c 390 -s 1", "-m 100000 -s 0"}) {
        const ShellOutput output =
            shell("cd " + scratch_.file("out") + " && timeout -s INT 2 ../procdump " + switches +
                  " " + pid + " 2>&1");
        EXPECT_TRUE(written().empty()) << switches << output.text;
    }
    EXPECT_TRUE(victim.alive());
}

TEST_F(Procdump, CountersByWindowsNames) {
    Victim victim("capture_threads", {"many", "40"});
    ASSERT_EQ(victim.line(), "ready");
    const std::string pid = std::to_string(victim.pid());
    const std::string counter = "'\\Process(capture_threads_" + pid + ")\\Thread Count'";
    const ShellOutput met = run("-p " + counter + " 40 -s 0 -ma " + pid);
    EXPECT_EQ(met.status, 0) << met.text;
    EXPECT_EQ(written().size(), 1U) << met.text;
    clear();
    // Another process' counter is refused, a level that is not reached waits.
    EXPECT_EQ(run("-p '\\Process(w3wp_66666)\\Thread Count' 40 " + pid).status, 255);
    const ShellOutput missed =
        shell("cd " + scratch_.file("out") + " && timeout -s INT 2 ../procdump -s 0 -p " + counter +
              " 4000 " + pid + " 2>&1");
    EXPECT_TRUE(written().empty()) << missed.text;
    const ShellOutput listed = shell(program() + " counters " + pid + " --milliseconds 10");
    EXPECT_EQ(listed.status, 0);
    EXPECT_NE(listed.text.find("\\Thread Count"), std::string::npos) << listed.text;
}

TEST_F(Procdump, GivenNamesAndWhatIsThereAlready) {
    Victim victim("capture_threads", {"many", "1"});
    ASSERT_EQ(victim.line(), "ready");
    const std::string pid = std::to_string(victim.pid());
    EXPECT_EQ(run(pid + " mine").status, 0);
    EXPECT_EQ(written(), std::vector<std::string>{"mine." + pid});
    const ShellOutput again = run(pid + " mine");
    EXPECT_NE(again.status, 0);
    EXPECT_NE(again.text.find("already exists"), std::string::npos) << again.text;
    EXPECT_EQ(run("-o " + pid + " mine").status, 0);
    EXPECT_EQ(run("-ma " + pid + " PROCESSNAME_PID_YYMMDD.dmp").status, 0);
    EXPECT_EQ(written().size(), 2U);
    EXPECT_TRUE(written()[0].starts_with("capture_threads_" + pid + "_")) << written()[0];
}

TEST_F(Procdump, NamesThatTheKernelCutsAreWhole) {
    // comm has room for 15 characters: of a program, and of a script, whose program is another's.
    const std::string program = scratch_.file("sleeps_for_a_very_long_time");
    std::filesystem::copy_file("/bin/sleep", program);
    EXPECT_EQ(run("-mm -t -x . " + program + " 0").status, 0);
    const std::string script = scratch_.file("a_script_with_a_long_name.sh");
    std::ofstream(script) << "#!/bin/sh\nexit 0\n";
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    EXPECT_EQ(run("-mm -t -x . " + script).status, 0);
    const auto names = written();
    ASSERT_EQ(names.size(), 2U);
    EXPECT_TRUE(names[0].starts_with("a_script_with_a_long_name.sh_")) << names[0];
    EXPECT_TRUE(names[1].starts_with("sleeps_for_a_very_long_time_")) << names[1];
}

TEST_F(Procdump, ExceptionsOfALaunchedProgram) {
    const std::string victim = target("events");
    // Thrown and caught: no unhandled exception, one of first chance.
    const std::string say = "echo 'throw runtime spilt milk' | ";
    const auto launch = [&](const std::string& switches) {
        return shell("cd " + scratch_.file("out") + " && " + say + "../procdump " + switches +
                     " -x " + scratch_.file("out") + " " + victim + " 2>&1");
    };
    EXPECT_EQ(launch("-ma -e").status, 0);
    EXPECT_TRUE(written().empty());
    const ShellOutput shown = launch("-e 1 -f \"\"");
    EXPECT_EQ(shown.status, 0);
    EXPECT_NE(shown.text.find("std::runtime_error: spilt milk"), std::string::npos) << shown.text;
    EXPECT_TRUE(written().empty());
    EXPECT_EQ(launch("-ma -e 1 -f logic_error").status, 0);
    EXPECT_TRUE(written().empty());
    const ShellOutput thrown = launch("-ma -e 1 -f runtime_error");
    EXPECT_EQ(thrown.status, 0) << thrown.text;
    ASSERT_EQ(written().size(), 1U) << thrown.text;
    clear();
    const ShellOutput ended = launch("-ma -t");
    ASSERT_EQ(written().size(), 1U) << ended.text;
}

TEST_F(Procdump, WrongLinesAndRefusals) {
    EXPECT_EQ(run("-?").status, 0);
    EXPECT_NE(run("-? -e").text.find("procdump -ma -e 1234"), std::string::npos);
    for (const char* line : {"", "-nonsense 1", "4000000", "no-such-program-anywhere"})
        EXPECT_EQ(run(line).status, 255) << line;
    const ShellOutput refused = run("-restrack 1");
    EXPECT_EQ(refused.status, 255);
    EXPECT_NE(refused.text.find("eBPF"), std::string::npos) << refused.text;
}

}  // namespace
}  // namespace icecore::tests
