// The receiver of crashes, fed by a pipe that does not behave like the kernel's.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

class HandlerReceive : public testing::Test {
protected:
    HandlerReceive() {
        std::ofstream(scratch.file("core_pattern")) << "core\n";
        std::ofstream(scratch.file("core_pipe_limit")) << "0\n";
    }
    [[nodiscard]] std::string command(const std::string& arguments) const {
        return program() + " handler " + arguments + " --root " + scratch.file("r") + " --sysctl " +
               scratch.file("");
    }
    /// As the kernel calls it, for a process that is still there.
    [[nodiscard]] std::string receive(pid_t pid) const {
        const std::string number = std::to_string(pid);
        return command("receive " + number + " " + number + " 11 1700000000 1");
    }
    [[nodiscard]] nlohmann::json onlyCrash() const {
        const auto list = nlohmann::json::parse(shell(command("list --json")).text, nullptr, false);
        EXPECT_EQ(list.size(), 1U) << list.dump(1);
        return list.size() == 1 ? list[0] : nlohmann::json();
    }
    const Scratch scratch;
};

TEST_F(HandlerReceive, APipeThatNeverEndsIsGivenUp) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, as the kernel's helper has it";
    ASSERT_EQ(shell(command("install --timeout 1 2>&1")).status, 0);
    Victim victim("capture_threads", {"named"});
    ASSERT_TRUE(victim.until("ready"));
    // The pipe's other end stays open, and nothing comes.
    ASSERT_EQ(shell("mkfifo " + scratch.file("pipe")).status, 0);
    (void)shell("exec 3<>" + scratch.file("pipe") + "; " + receive(victim.pid()) + " <&3 2>&1");
    const auto crash = onlyCrash();
    ASSERT_FALSE(crash.is_null());
    EXPECT_EQ(crash["path"], "");
    EXPECT_FALSE(crash["problems"].empty());
    EXPECT_EQ(crash["program"], "capture_threads");
    EXPECT_TRUE(victim.alive());
}

TEST_F(HandlerReceive, WhatIsNoCoreIsToldAndRecorded) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, as the kernel's helper has it";
    ASSERT_EQ(shell(command("install 2>&1")).status, 0);
    Victim victim("capture_threads", {"named"});
    ASSERT_TRUE(victim.until("ready"));
    (void)shell("head -c 100000 /dev/zero | " + receive(victim.pid()) + " 2>&1");
    const auto crash = onlyCrash();
    ASSERT_FALSE(crash.is_null());
    EXPECT_EQ(crash["path"], "");
    EXPECT_FALSE(crash["problems"].empty()) << crash.dump(1);
    EXPECT_EQ(crash["signal_name"], "SIGSEGV");
}

}  // namespace
}  // namespace icecore::tests
