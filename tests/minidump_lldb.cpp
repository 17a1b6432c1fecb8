// LLDB opens our minidumps and shows the stacks that it shows of the living process.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/text.h"
#include "open_core.h"
#include "support/frozen_dump.h"
#include "support/lldb.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

namespace fs = std::filesystem;

class MinidumpInLldb : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(victim_.until("ready"));
        char name[] = "/tmp/icecore-lldb-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        directory_ = name;
    }
    void TearDown() override { fs::remove_all(directory_); }

    std::string dump(std::string_view type) {
        const auto frozen = freezeForTest(victim_.pid(), *parseDumpType(type));
        if (!frozen) return {};
        const auto written = writeDump(frozen->snapshot(), frozen->plan(), "minidump");
        const std::string path = directory_ + "/victim.dmp";
        std::ofstream file(path, std::ios::binary);
        file.write(reinterpret_cast<const char*>(written.bytes.data()),
                   static_cast<std::streamsize>(written.bytes.size()));
        return path;
    }

    void sameStacksAsLive(std::string_view type) {
        const std::string core =
            lldb("-o 'target create --core " + dump(type) + "' -o 'thread backtrace all'");
        // Attaching prints the threads once, where they stand; the backtraces follow.
        std::string live =
            lldb("-p " + std::to_string(victim_.pid()) + " -o 'thread backtrace all' -o detach");
        live = live.substr(std::min(live.find("(lldb) thread backtrace all"), live.size()));
        const auto ours = lldbStacks(core);
        const auto theirs = lldbStacks(live);
        ASSERT_EQ(theirs.size(), 2U) << live;
        EXPECT_EQ(ours, theirs) << core << "\n" << live;
        for (const auto& [id, frames] : theirs)
            EXPECT_GE(frames.size(), 4U) << live;
        EXPECT_EQ(lldbComplaints(core), "");
    }

    Victim victim_{"dump_types", {"/tmp/icecore-lldb-deleted-" + std::to_string(::getpid())}, [] {
                       ::setenv("ICECORE_MARK", "x", 1);
                   }};
    std::string directory_;
};

TEST_F(MinidumpInLldb, SmallDump) {
    sameStacksAsLive("mini");
}

TEST_F(MinidumpInLldb, FullDump) {
    sameStacksAsLive("full");
}

TEST_F(MinidumpInLldb, MemoryAndModules) {
    const std::string address = hex(victim_.number("data"));
    const std::string text =
        lldb("-o 'target create --core " + dump("full") + "' -o 'memory read -s8 -fx -c1 " +
             address + "' -o 'image list -o -u -f'");
    EXPECT_NE(text.find("0x1cec04e0da7a0001"), std::string::npos) << text;
    EXPECT_NE(text.find("dump_types"), std::string::npos) << text;
    EXPECT_NE(text.find("libc.so"), std::string::npos) << text;
}

/// The line of the thread that LLDB has selected.
std::string selected(const std::string& text) {
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with("* thread #")) return std::string(line);
    }
    return "none is selected\n" + text;
}

/// A real crash, in a thread other than the first: gdb's core of it, and the minidump made of that
/// core. LLDB selects the same thread, for the same reason, with the same stacks in all threads.
TEST(MinidumpOfACrashInLldb, IsTheCrashThatTheCoreShows) {
    const CrasherCore crash;
    ASSERT_TRUE(crash.made());
    auto snapshot = openDump(crash.path());
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    const Process& process = *snapshot->process;
    ASSERT_TRUE(process.exception.has_value());
    const std::string ask = "' -o 'thread list' -o 'thread backtrace all'";
    const std::string fromCore = lldb("-o 'target create --core " + crash.path() + ask);
    for (const char* type : {"mini", "full"}) {
        SavePlan plan = planSave(process, *parseDumpType(type));
        narrowTo(plan, *process.memory);
        const auto written = writeDump(*snapshot, plan, "minidump");
        const std::string path = crash.folder() + "/crash.dmp";
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(written.bytes.data()),
                   static_cast<std::streamsize>(written.bytes.size()));
        const std::string text = lldb(fmt::format("-o 'target create --core {}{}", path, ask));
        EXPECT_EQ(lldbComplaints(text), "");
        const std::string tid = "tid = " + std::to_string(process.exception->threadId) + ",";
        for (const std::string& side : {fromCore, text}) {
            EXPECT_NE(selected(side).find(tid), std::string::npos) << selected(side);
            EXPECT_NE(selected(side).find("sum_of_ids"), std::string::npos) << selected(side);
            EXPECT_NE(selected(side).find("SIGSEGV"), std::string::npos) << selected(side);
        }
        const auto stacks = [](const std::string& said) {  // the order of threads differs
            std::multiset<std::vector<std::string>> set;
            const std::size_t asked = said.find("(lldb) thread backtrace all");
            for (const auto& [thread, stack] :
                 lldbStacks(said.substr(std::min(asked, said.size()))))
                set.insert(stack);
            return set;
        };
        EXPECT_EQ(stacks(text).size(), 5U) << text;
        EXPECT_EQ(stacks(text), stacks(fromCore)) << type;
    }
}

}  // namespace
}  // namespace icecore::tests
