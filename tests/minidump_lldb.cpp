// LLDB opens our minidumps and shows the stacks that it shows of the living process.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/text.h"
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

}  // namespace
}  // namespace icecore::tests
