// A target in other PID and mount namespaces, as in a container: its own numbers and paths.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "live/linux/frozen_process_test.h"

namespace icecore::live {
namespace {

using tests::Victim;

TEST(Isolation, AProcessInAnotherPidAndMountNamespace) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to make namespaces";
    const std::string program = tests::target("capture_memory");
    const std::string folder = testing::TempDir() + fmt::format("icecore_ns_{}", ::getpid());
    ASSERT_TRUE(std::filesystem::create_directory(folder));
    const std::string copy = folder + "/hidden";
    // The victim is process 1 of its namespace and runs from a file system that only it can see.
    Victim outer("capture_memory", {"plain"}, [&] {
        if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) ::_exit(3);
        const pid_t inner = ::fork();
        if (inner != 0) {
            // Ours is the writing end of the victim's input too; it must see that end.
            ::close_range(3, ~0U, 0);
            int status = 0;
            ::waitpid(inner, &status, 0);
            ::_exit(0);
        }
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        if (::mount("none", folder.c_str(), "tmpfs", 0, nullptr) != 0) ::_exit(4);
        std::error_code failed;
        std::filesystem::copy_file(program, copy, failed);
        ::execl(copy.c_str(), "hidden", "plain", "private-memfd", nullptr);
        ::_exit(5);
    });
    const bool ready = outer.until("ready");
    if (!ready) {
        std::filesystem::remove(folder);
        GTEST_SKIP() << "namespaces cannot be made here";
    }
    const auto children = tests::childrenOf(outer.pid());
    ASSERT_EQ(children.size(), 1U);
    const pid_t inner = children[0];
    EXPECT_TRUE(tests::statusValue(inner, "NSpid").ends_with("\t1"));
    for (const SnapshotMode mode : {SnapshotMode::clone, SnapshotMode::stop}) {
        const auto process = frozen(inner, mode);
        ASSERT_NE(process, nullptr);
        EXPECT_EQ(process->mode(), mode);
        const Process& model = *process->snapshot().process;
        // Numbers as we, the observer, see them.
        EXPECT_EQ(model.pid, static_cast<std::uint64_t>(inner));
        EXPECT_EQ(model.parentPid, static_cast<std::uint64_t>(outer.pid()));
        EXPECT_EQ(model.threads[0].id, static_cast<std::uint64_t>(inner));
        // The path as the process sees it; the file is nowhere in our own file systems.
        EXPECT_EQ(model.executable, copy);
        EXPECT_FALSE(std::filesystem::exists(copy));
        const auto module = std::ranges::find(model.modules.items, copy, &Module::path);
        ASSERT_NE(module, model.modules.items.end());
        EXPECT_EQ(module->id.kind, ModuleId::Kind::build_id);
        // Its code was never touched as data: it comes out of the file.
        std::vector<std::byte> header(64);
        EXPECT_TRUE(model.memory->readExactly(module->range.begin(), header));
        EXPECT_GT(readPlan(*process), 0U);
        EXPECT_FALSE(model.system.distribution.empty());
        EXPECT_TRUE(process->snapshot().issues.empty());
    }
    // The clone was a child of process 1 there, and is gone.
    EXPECT_TRUE(tests::childrenOf(inner).empty());
    EXPECT_EQ(tests::statusValue(inner, "TracerPid"), "0");
    outer.closeInput();
    EXPECT_EQ(outer.wait(), 0);
    std::filesystem::remove(folder);
}

}  // namespace
}  // namespace icecore::live
