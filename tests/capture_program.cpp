// `icecore dump` as people use it, when things go wrong: interrupted, killed, out of disk, with a
// target that dies or will not be cloned. The target goes on, and no half a file stays behind.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>

#include "support/victim.h"

namespace icecore::tests {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// A folder of its own, removed with everything in it.
class Folder {
public:
    Folder() {
        std::string name = testing::TempDir() + "icecore_XXXXXX";
        if (::mkdtemp(name.data()) != nullptr) path_ = name;
    }
    ~Folder() {
        if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] std::string operator/(std::string_view name) const {
        return fmt::format("{}/{}", path_, name);
    }
    /// Names of the files inside, hidden ones too.
    [[nodiscard]] std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path_))
            names.push_back(entry.path().filename().string());
        return names;
    }
    /// Makes it a file system of this size; needs root.
    [[nodiscard]] bool limit(const char* size) {
        mounted_ = ::mount("none", path_.c_str(), "tmpfs", 0, size) == 0;
        return mounted_;
    }
    /// Bytes of the largest file inside.
    [[nodiscard]] std::uint64_t largest() const {
        std::uint64_t size = 0;
        for (const std::string& name : files()) {
            std::error_code gone;
            const auto bytes = std::filesystem::file_size(*this / name, gone);
            if (!gone) size = std::max<std::uint64_t>(size, bytes);
        }
        return size;
    }

private:
    std::string path_;
    bool mounted_ = false;
};

/// icecore, started with these arguments.
class Icecore {
public:
    explicit Icecore(const std::vector<std::string>& arguments) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return;
        const std::string path = program();
        std::vector<char*> argv{const_cast<char*>(path.c_str())};
        for (const std::string& argument : arguments)
            argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(ends[1], 1);
            ::dup2(ends[1], 2);
            ::execv(path.c_str(), argv.data());
            ::_exit(127);
        }
        ::close(ends[1]);
        output_ = ends[0];
    }
    ~Icecore() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(output_);
    }
    Icecore(const Icecore&) = delete;
    Icecore& operator=(const Icecore&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool running() const {
        siginfo_t ended{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               ended.si_pid == 0;
    }
    /// Its wait status; what it said is in `text` then.
    int end() {
        char buffer[4096];
        ssize_t got = 0;
        while ((got = ::read(output_, buffer, sizeof buffer)) > 0)
            text.append(buffer, static_cast<std::size_t>(got));
        int status = -1;
        ::wait4(pid_, &status, 0, &usage);
        pid_ = -1;
        return status;
    }
    /// Its exit status, -1 when it did not exit by itself.
    int exitStatus() {
        const int status = end();
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::string text;
    rusage usage{};

private:
    pid_t pid_ = -1;
    int output_ = -1;
};

/// The target is as if nothing had been: free, awake or asleep, without children.
testing::AssertionResult isFree(pid_t pid) {
    const auto good = [&] {
        const std::string state = statusValue(pid, "State");
        return statusValue(pid, "TracerPid") == "0" && (state[0] == 'S' || state[0] == 'R') &&
               childrenOf(pid).empty();
    };
    if (eventually(good)) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << statusValue(pid, "State") << ", traced by " << statusValue(pid, "TracerPid") << ", "
           << childrenOf(pid).size() << " children";
}

/// A target of so many mebibytes that compress badly enough.
std::unique_ptr<Victim> resident(int mebibytes) {
    auto victim = std::make_unique<Victim>(
        "capture_memory", std::vector<std::string>{"resident", std::to_string(mebibytes)});
    EXPECT_TRUE(victim->until("ready"));
    return victim;
}

class Interrupted : public testing::TestWithParam<std::tuple<int, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Signals, Interrupted,
                         testing::Combine(testing::Values(SIGINT, SIGTERM),
                                          testing::Values("clone", "stop")));

TEST_P(Interrupted, LeavesNoFileAndAFreeTarget) {
    const auto [signal, mode] = GetParam();
    const auto victim = resident(384);
    const Folder folder;
    for (int attempt = 0; attempt < 20; ++attempt) {
        Icecore run({"dump", std::to_string(victim->pid()), "-o", folder / "x.core", "--type",
                     "full", "--snapshot", mode, "--overwrite"});
        // In the middle of writing.
        ASSERT_TRUE(eventually([&] { return folder.largest() > (1U << 20) || !run.running(); }));
        ::kill(run.pid(), signal);
        const int status = run.exitStatus();
        ASSERT_TRUE(isFree(victim->pid()));
        if (status == 0) continue;  // it was quicker than we
        EXPECT_EQ(status, 1) << run.text;
        EXPECT_THAT(run.text, HasSubstr("cancelled"));
        // A file of a quicker attempt may be there; what is not there is half of one.
        for (const std::string& name : folder.files())
            EXPECT_EQ(name, "x.core");
        return;
    }
    FAIL() << "it was always done before it could be interrupted";
}

class Killed : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Modes, Killed, testing::Values("clone", "stop"));

TEST_P(Killed, TheTargetGoesOn) {
    const auto victim = resident(384);
    const Folder folder;
    Icecore run({"dump", std::to_string(victim->pid()), "-o", folder / "x.core", "--type", "full",
                 "--snapshot", GetParam()});
    ASSERT_TRUE(eventually([&] { return folder.largest() > (1U << 20) || !run.running(); }));
    ::kill(run.pid(), SIGKILL);
    run.end();
    EXPECT_TRUE(isFree(victim->pid()));
}

class DiskFull : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Modes, DiskFull, testing::Values("clone", "stop"));

TEST_P(DiskFull, IsSeenBeforeTheFirstByteOrLeavesNothing) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small file system";
    const auto victim = resident(64);
    Folder folder;
    if (!folder.limit("size=1m")) GTEST_SKIP() << "no file system can be mounted here";
    const std::string pid = std::to_string(victim->pid());
    {
        Icecore run(
            {"dump", pid, "-o", folder / "x.core", "--type", "full", "--snapshot", GetParam()});
        EXPECT_EQ(run.exitStatus(), 1);
        EXPECT_THAT(run.text, HasSubstr("not enough space"));
        EXPECT_THAT(folder.files(), IsEmpty());
        EXPECT_TRUE(isFree(victim->pid()));
    }
    // How small a compressed one gets is not known before: it has to fail in the middle.
    Icecore run(
        {"dump", pid, "-o", folder / "x.core.zst", "--type", "full", "--snapshot", GetParam()});
    EXPECT_EQ(run.exitStatus(), 1);
    EXPECT_THAT(run.text, HasSubstr("No space left on device"));
    EXPECT_THAT(folder.files(), IsEmpty());
    EXPECT_TRUE(isFree(victim->pid()));
}

TEST(Target, ThatDiesWhileItsCloneIsWritten) {
    const auto victim = resident(256);
    const Folder folder;
    Icecore run({"dump", std::to_string(victim->pid()), "-o", folder / "x.core", "--type", "full",
                 "--snapshot", "clone"});
    ASSERT_TRUE(eventually([&] { return folder.largest() > (1U << 20) || !run.running(); }));
    victim->kill();
    EXPECT_EQ(run.exitStatus(), 0) << run.text;
    EXPECT_GT(folder.largest(), 256U << 20);
}

TEST(Target, ThatDiesWhileItIsWrittenItself) {
    const auto victim = resident(384);
    const Folder folder;
    Icecore run({"dump", std::to_string(victim->pid()), "-o", folder / "x.core", "--type", "full",
                 "--snapshot", "stop"});
    ASSERT_TRUE(eventually([&] { return folder.largest() > (1U << 20) || !run.running(); }));
    victim->kill();
    const int status = run.exitStatus();
    if (status == 0) GTEST_SKIP() << "the dump was done before the target died";
    // What could still be had is kept, and what could not is told.
    EXPECT_EQ(status, 3) << run.text;
    EXPECT_THAT(run.text, HasSubstr("could not be read"));
}

TEST(Target, ThatCannotBeClonedIsSaidInTheClosingLine) {
    Victim victim("capture_state", {"seccomp", std::to_string(SECCOMP_RET_ERRNO | EPERM)});
    ASSERT_TRUE(victim.until("ready"));
    const Folder folder;
    const std::string pid = std::to_string(victim.pid());
    Icecore run({"dump", pid, "-o", folder / "x.core"});
    EXPECT_EQ(run.exitStatus(), 0) << run.text;
    EXPECT_THAT(run.text, HasSubstr("(stop)"));
    EXPECT_THAT(run.text, HasSubstr("not cloned: "));
    EXPECT_THAT(run.text, HasSubstr("seccomp filter"));
    Icecore asClone({"dump", pid, "-o", folder / "y.core", "--snapshot", "clone"});
    EXPECT_EQ(asClone.exitStatus(), 1);
    EXPECT_THAT(asClone.text, HasSubstr("cannot be cloned: "));
    EXPECT_TRUE(isFree(victim.pid()));
    EXPECT_THAT(folder.files(), testing::ElementsAre("x.core"));
}

TEST(Target, ASparseTerabyteIsWrittenWithoutGrowing) {
    Victim victim("capture_memory", {"terabyte"});
    ASSERT_TRUE(victim.until("ready"));
    ASSERT_TRUE(eventually([&] { return statusValue(victim.pid(), "State").starts_with('S'); }));
    const auto size = [&] {
        return fmt::format("page tables {}, anonymous {}, shared {}",
                           statusValue(victim.pid(), "VmPTE"), statusValue(victim.pid(), "RssAnon"),
                           statusValue(victim.pid(), "RssShmem"));
    };
    const std::string before = size();
    const Folder folder;
    Icecore run(
        {"dump", std::to_string(victim.pid()), "-o", folder / "x.core", "--snapshot", "stop"});
    EXPECT_EQ(run.exitStatus(), 0) << run.text;
    struct stat file{};
    ASSERT_EQ(::stat((folder / "x.core").c_str(), &file), 0);
    EXPECT_GT(file.st_size, off_t{1} << 40);
    EXPECT_LT(file.st_blocks * 512, 8 << 20);
    EXPECT_EQ(size(), before);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Sanitizers keep memory of their own; in the release build the bound is that of the program.
TEST(OurOwnMemory, StaysSmallWhateverTheTarget) {
    constexpr long limit = 64 << 10;  // KiB
    const Folder folder;
    const auto large = resident(512);
    Icecore run({"dump", std::to_string(large->pid()), "-o", folder / "x.core", "--type", "full"});
    EXPECT_EQ(run.exitStatus(), 0) << run.text;
    EXPECT_LT(run.usage.ru_maxrss, limit);
    Victim threads("capture_threads", {"many", "5000"});
    ASSERT_TRUE(threads.until("ready"));
    Icecore many(
        {"dump", std::to_string(threads.pid()), "-o", folder / "y.core", "--type", "full"});
    EXPECT_EQ(many.exitStatus(), 0) << many.text;
    EXPECT_LT(many.usage.ru_maxrss, limit);
}
#endif

}  // namespace
}  // namespace icecore::tests
