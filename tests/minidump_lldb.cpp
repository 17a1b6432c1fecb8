// LLDB opens our minidumps and shows the stacks that it shows of the living process.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/text.h"
#include "support/frozen_dump.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

namespace fs = std::filesystem;

std::string outputOf(const std::string& command) {
    std::string text;
    FILE* pipe = ::popen((command + " 2>&1 </dev/null").c_str(), "r");
    if (pipe == nullptr) return text;
    char buffer[4096];
    for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
        text.append(buffer, got);
    ::pclose(pipe);
    return text;
}

std::string lldb(const std::string& commands) {
    // No init files and no searching for symbols on the network: only what the dump names.
    return outputOf("timeout 300 lldb-14 --no-lldbinit --batch " + commands);
}

/// Of each thread, by LLDB's index, the "ADDRESS FUNCTION" of its frames. The module is left out:
/// of a living process LLDB names it as it was linked (libstdc++.so.6), of a dump as the file is
/// called (libstdc++.so.6.0.30).
std::map<std::string, std::vector<std::string>> stacksIn(const std::string& text) {
    std::map<std::string, std::vector<std::string>> stacks;
    std::vector<std::string>* current = nullptr;
    for (const std::string_view line : split(text, '\n')) {
        if (const std::size_t at = line.find("thread #"); at != std::string_view::npos) {
            const std::string_view rest = line.substr(at);
            current = &stacks[std::string(rest.substr(0, rest.find(',')))];
            continue;
        }
        const std::size_t address = line.find(": 0x");
        const std::size_t tick = line.find('`');
        const bool isFrame = line.find("frame #") != std::string_view::npos;
        if (!isFrame || !current || address == std::string_view::npos ||
            tick == std::string_view::npos)
            continue;
        const std::string_view pc = splitBlanks(line.substr(address + 2)).front();
        // Up to the arguments; "(anonymous namespace)::f(…)" begins with a bracket of its own.
        const std::string_view function = line.substr(tick + 1);
        current->push_back(std::string(pc) + " " +
                           std::string(function.substr(0, function.find('(', 1))));
    }
    return stacks;
}

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
        const auto ours = stacksIn(core);
        const auto theirs = stacksIn(live);
        ASSERT_EQ(theirs.size(), 2U) << live;
        EXPECT_EQ(ours, theirs) << core << "\n" << live;
        for (const auto& [id, frames] : theirs)
            EXPECT_GE(frames.size(), 4U) << live;
        EXPECT_EQ(core.find("error:"), std::string::npos) << core;
        EXPECT_EQ(core.find("warning:"), std::string::npos) << core;
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
