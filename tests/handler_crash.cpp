// Real crashes, handed to icecore by the kernel. The pattern is the whole system's: it is there
// only while a test runs, and a watchdog puts the old one back should the test be killed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "support/lldb.h"
#include "support/paths.h"
#include "support/procdump.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

constexpr const char* patternPath = "/proc/sys/kernel/core_pattern";
constexpr const char* limitPath = "/proc/sys/kernel/core_pipe_limit";
constexpr const char* dumpablePath = "/proc/sys/fs/suid_dumpable";

/// Lives in a process of its own, whose end of a pipe closes with the test, however that ends.
class Watchdog {
public:
    Watchdog()
        : pattern_(readText(patternPath)),
          limit_(readText(limitPath)),
          dumpable_(readText(dumpablePath)) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return;
        child_ = ::fork();
        if (child_ == 0) {
            ::setsid();
            ::close(ends[1]);
            char nothing = 0;
            while (::read(ends[0], &nothing, 1) < 0 && errno == EINTR) {
            }
            restore(patternPath, pattern_);
            restore(limitPath, limit_);
            restore(dumpablePath, dumpable_);
            ::_exit(0);
        }
        ::close(ends[0]);
        held_ = ends[1];
    }
    ~Watchdog() {
        ::close(held_);
        if (child_ > 0) ::waitpid(child_, nullptr, 0);
    }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;
    [[nodiscard]] const std::string& pattern() const { return pattern_; }

private:
    static void restore(const char* path, const std::string& text) {
        const int file = ::open(path, O_WRONLY | O_CLOEXEC);
        if (file >= 0) (void)!::write(file, text.data(), text.size());
        ::close(file);
    }
    std::string pattern_, limit_, dumpable_;
    pid_t child_ = -1;
    int held_ = -1;
};

class HandlerCrashSerial : public testing::Test {
protected:
    void SetUp() override {
        const int file = ::open(patternPath, O_WRONLY | O_CLOEXEC);
        if (file < 0)
            GTEST_SKIP() << "core_pattern cannot be written here: " << std::strerror(errno);
        ::close(file);
    }
    [[nodiscard]] ShellOutput handler(const std::string& arguments) const {
        return shell(program() + " handler " + arguments + " --root " + scratch.file("r") +
                     " 2>&1");
    }
    [[nodiscard]] nlohmann::json crashOf(pid_t pid) const {
        nlohmann::json found;
        const auto there = [&] {
            const auto list = nlohmann::json::parse(handler("list --json").text, nullptr, false);
            for (const auto& crash : list) {
                if (crash.value("pid", 0) == pid) found = crash;
            }
            return !found.is_null();
        };
        EXPECT_TRUE(eventually(there)) << handler("list").text;
        return found;
    }
    const Scratch scratch;
    const Watchdog watchdog;
};

/// What LLDB shows of a crash when it opens a dump: thread, reason, and the functions and lines of
/// its stack without addresses and arguments, which differ from crash to crash.
std::vector<std::string> crashInLldb(const std::string& path) {
    const std::string text = lldb("-o 'target create --core " + path + "' -o bt");
    EXPECT_EQ(lldbComplaints(text), "");
    std::vector<std::string> crash;
    for (const std::string_view line : split(text, '\n')) {
        if (const std::size_t tick = line.find('`'); tick != std::string_view::npos) {
            const std::string_view function = line.substr(tick + 1);
            const std::size_t place = function.rfind(" at ");
            crash.push_back(
                std::string(function.substr(0, function.find('(', 1))) +
                std::string(place == std::string_view::npos ? "" : function.substr(place)));
        } else if (const std::size_t at = line.find("stop reason = "); line.starts_with("* ")) {
            // A core tells the name of the program here, a minidump none.
            crash.emplace_back(line.substr(std::min(at, line.size())));
        }
    }
    return crash;
}

TEST_F(HandlerCrashSerial, KeepsCoreAndMinidumpWithAVerdict) {
    std::vector<std::vector<std::string>> inLldb;
    for (const std::string format : {"core", "minidump"}) {
        const auto installed = handler("install --format " + format);
        ASSERT_EQ(installed.status, 0) << installed.text;
        Victim victim("crasher");
        const pid_t pid = victim.pid();
        const int status = victim.wait();
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
        const auto crash = crashOf(pid);
        ASSERT_FALSE(crash.is_null());
        EXPECT_EQ(crash["program"], "crasher");
        EXPECT_EQ(crash["format"], format) << crash.dump(1);
        EXPECT_EQ(crash["signal_name"], "SIGSEGV");
        EXPECT_NE(crash["bucket"].get<std::string>().find("sum_of_ids"), std::string::npos)
            << crash.dump(1);
        EXPECT_EQ(handler("open " + std::to_string(pid) + " -c k").status, 0);
        const auto last = handler("open LAST -c k");
        EXPECT_EQ(last.status, 0) << last.text;
        EXPECT_NE(last.text.find("close_books"), std::string::npos) << last.text;
        EXPECT_EQ(handler("open -c k").text, last.text) << "LAST is what is meant without a word";
        EXPECT_EQ(handler("open 999999999 -c k").status, 1);
        const auto stack = shell(program() + " open " + crash["path"].get<std::string>() + " -c k");
        EXPECT_NE(stack.text.find("close_books"), std::string::npos) << stack.text;
        if (shell("command -v lldb-14 >/dev/null").status == 0)
            inLldb.push_back(crashInLldb(crash["path"].get<std::string>()));
        if (format == "core") {
            const auto notes = shell("eu-readelf -n " + crash["path"].get<std::string>()).text;
            EXPECT_NE(notes.find("si_signo: 11, si_errno: 0, si_code: 1\n    fault address: 0"),
                      std::string::npos)
                << notes;
        }
    }
    if (!inLldb.empty()) {
        ASSERT_GE(inLldb[0].size(), 4U);
        EXPECT_NE(inLldb[0][0].find("stop reason = signal SIGSEGV"), std::string::npos);
        EXPECT_EQ(inLldb[0][1].find("shop::sum_of_ids at crasher.cpp:"), 0U) << inLldb[0][1];
        EXPECT_EQ(inLldb[0], inLldb[1]);
    }
    EXPECT_EQ(handler("uninstall").status, 0);
    EXPECT_EQ(readText(patternPath), watchdog.pattern());
}

TEST_F(HandlerCrashSerial, AStormKeepsTheNewest) {
    ASSERT_EQ(handler("install --format minidump --keep 5").status, 0);
    constexpr int crashes = 16;
    std::vector<std::unique_ptr<Victim>> victims;
    victims.reserve(crashes);
    for (int i = 0; i < crashes; ++i)
        victims.push_back(std::make_unique<Victim>("crasher"));
    for (const auto& victim : victims) {
        const int status = victim->wait();
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
    }
    // The last receivers may still be at their verdicts.
    const auto receivers = [] { return shell("pgrep -f '[h]andler receive'").text; };
    ASSERT_TRUE(eventually([&] { return receivers().empty(); })) << receivers();
    const auto list = nlohmann::json::parse(handler("list --json").text, nullptr, false);
    ASSERT_EQ(list.size(), 5U);
    std::size_t files = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(scratch.file("r/var/lib/icecore/crashes"))) {
        const std::string name = entry.path().filename().string();
        EXPECT_TRUE(name.ends_with(".dmp") || name.ends_with(".json") || name.ends_with("lock"))
            << name;
        files += name.ends_with(".dmp") ? 1 : 0;
    }
    EXPECT_EQ(files, 5U);
    for (const auto& crash : list) {
        EXPECT_TRUE(crash["problems"].empty()) << crash.dump(1);
        EXPECT_EQ(shell(program() + " info " + crash["path"].get<std::string>()).status, 0);
        struct stat info{};
        ASSERT_EQ(::stat(crash["path"].get<std::string>().c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777U, 0600U);
        EXPECT_EQ(info.st_uid, 0U);
    }
    EXPECT_EQ(handler("uninstall").status, 0);
}

/// A program of root's that somebody else has started: what is in its memory is not his.
TEST_F(HandlerCrashSerial, ASetUserIdProgramsDumpIsRootsAlone) {
    constexpr uid_t nobody = 65534;
    const std::string privileged = scratch.file("privileged");
    using std::filesystem::perms;
    std::filesystem::permissions(scratch.file(""),
                                 perms::owner_all | perms::group_exec | perms::others_exec);
    std::filesystem::copy_file(target("crasher"), privileged);
    struct statvfs system{};
    if (::geteuid() != 0 || ::chmod(privileged.c_str(), 04755) != 0 ||
        ::statvfs(privileged.c_str(), &system) != 0 || (system.f_flag & ST_NOSUID) != 0)
        GTEST_SKIP() << "no program can be made that runs as another user";
    ASSERT_EQ(handler("install --format minidump").status, 0);
    // Twice: with 0 the kernel makes no core of such a process, with 2 one for root alone.
    for (const char* dumpable : {"0", "2"}) {
        std::ofstream(dumpablePath) << dumpable;
        const pid_t pid = ::fork();
        if (pid == 0) {
            if (::setresgid(nobody, nobody, nobody) != 0 ||
                ::setresuid(nobody, nobody, nobody) != 0)
                ::_exit(126);
            ::execl(privileged.c_str(), privileged.c_str(), nullptr);
            ::_exit(127);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
        EXPECT_EQ(WCOREDUMP(status) != 0, dumpable[0] == '2');
        if (dumpable[0] == '0') {
            EXPECT_EQ(handler("list").text.find("privileged"), std::string::npos);
            continue;
        }
        const auto crash = crashOf(pid);
        ASSERT_FALSE(crash.is_null());
        EXPECT_EQ(crash["program"], "privileged");
        EXPECT_TRUE(crash["problems"].empty()) << crash.dump(1);
        EXPECT_NE(crash["bucket"].get<std::string>().find("sum_of_ids"), std::string::npos)
            << crash.dump(1);
        const std::filesystem::path dump = crash["path"].get<std::string>();
        for (const auto& [path, mode] :
             {std::pair{dump, 0600U},
              std::pair{std::filesystem::path(dump).replace_extension(".json"), 0600U},
              std::pair{dump.parent_path(), 0700U}}) {
            struct stat info{};
            ASSERT_EQ(::stat(path.c_str(), &info), 0) << path;
            EXPECT_EQ(info.st_uid, 0U) << path;
            EXPECT_EQ(info.st_mode & 0777U, mode) << path;
        }
    }
    EXPECT_EQ(handler("uninstall").status, 0);
}

TEST_F(HandlerCrashSerial, AFullDiskStillHasTheVerdict) {
    const std::string folder = scratch.file("small");
    std::filesystem::create_directory(folder);
    for (const auto& [size, format] : {std::pair<std::string, std::string>{"1m", "minidump"},
                                       std::pair<std::string, std::string>{"16k", ""}}) {
        if (::mount("none", folder.c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0)
            GTEST_SKIP() << "no file system can be mounted here";
        ASSERT_EQ(handler("install " + folder).status, 0);
        Victim victim("capture_memory", {"resident", "16"});
        ASSERT_TRUE(victim.until("ready"));
        const pid_t pid = victim.pid();
        ::kill(pid, SIGSEGV);
        const int status = victim.wait();
        const auto crash = crashOf(pid);
        ::umount2(folder.c_str(), MNT_DETACH);
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
        ASSERT_FALSE(crash.is_null());
        EXPECT_EQ(crash["format"], format) << crash.dump(1);
        EXPECT_FALSE(crash["problems"].empty());
        EXPECT_NE(crash["problems"].dump().find("not kept as asked for"), std::string::npos);
        EXPECT_NE(crash["bucket"].get<std::string>().find("SIGSEGV"), std::string::npos)
            << crash.dump(1);
    }
    EXPECT_EQ(handler("uninstall").status, 0);
}

/// In a process namespace and a root directory of its own, where alone the program's file is.
TEST_F(HandlerCrashSerial, ACrashInAContainerEndsInTheHostsFolder) {
    const std::string root = scratch.file("container");
    ASSERT_EQ(shell("mkdir -p " + root + "/app && cp " + target("crasher") +
                    " /lib64/ld-linux-x86-64.so.2 " + root + "/app/ && for l in $(ldd " +
                    target("crasher") + " | grep -o '/[^ ]*'); do mkdir -p " + root +
                    "$(dirname $l) && cp -L $l " + root + "$l; done")
                  .status,
              0);
    if (shell("unshare --pid --fork true 2>/dev/null").status != 0)
        GTEST_SKIP() << "namespaces cannot be made here";
    ASSERT_EQ(handler("install --format minidump").status, 0);
    // With a root directory alone the kernel tells paths as they are outside; with file systems of
    // its own, as a container has them, the paths are the container's.
    const std::pair<std::string, std::string> ways[] = {
        {"unshare --pid --fork chroot " + root + " /app/crasher", root + "/app/crasher"},
        {"unshare --pid --fork --mount sh -c 'mount --bind " + root + " " + root + "; cd " + root +
             "; mkdir -p old; pivot_root . old; exec /app/crasher'",
         "/app/crasher"}};
    std::uint64_t before = 0;
    for (const auto& [command, executable] : ways) {
        (void)shell(command + " 2>&1");
        nlohmann::json crash;
        EXPECT_TRUE(eventually([&] {
            const auto list = nlohmann::json::parse(handler("list --json").text, nullptr, false);
            // `unshare` dies of what its child died of.
            for (const auto& one : list) {
                if (one.value("program", "") == "crasher" && one.value("pid", before) != before)
                    crash = one;
            }
            return !crash.is_null();
        })) << command;
        ASSERT_FALSE(crash.is_null());
        before = crash["pid"].get<std::uint64_t>();
        EXPECT_EQ(crash["container_pid"], 1) << crash.dump(1);
        EXPECT_NE(crash["pid"], 1);
        EXPECT_EQ(crash["executable"], executable);
        EXPECT_TRUE(crash["path"].get<std::string>().starts_with(scratch.file("r")))
            << crash.dump(1);
        EXPECT_NE(crash["bucket"].get<std::string>().find("sum_of_ids"), std::string::npos)
            << crash.dump(1);
        std::filesystem::remove(crash["path"].get<std::string>());
        std::filesystem::remove(
            std::filesystem::path(crash["path"].get<std::string>()).replace_extension(".json"));
    }
    EXPECT_EQ(handler("uninstall").status, 0);
}

/// As a postmortem debugger: procdump -i and -u, with the kind that a line asks for.
TEST_F(HandlerCrashSerial, ProcdumpInstallsTheKindThatIsAskedFor) {
    const bool ourFolder = !std::filesystem::exists("/var/lib/icecore");
    const ProcdumpRun procdump;
    for (const char* kind : {"-mm", "-ma"}) {
        const ShellOutput installed = procdump.run(std::string(kind) + " -i " + procdump.folder());
        ASSERT_EQ(installed.status, 0) << installed.text;
        Victim victim("crasher");
        (void)victim.wait();
        const auto records = [&] {
            auto names = procdump.written();
            std::erase_if(names, [](const auto& name) { return !name.ends_with(".json"); });
            return names;
        };
        EXPECT_TRUE(eventually([&] { return !records().empty(); }));
        EXPECT_EQ(procdump.run("-u").status, 0);
        EXPECT_EQ(readText(patternPath), watchdog.pattern());
        ASSERT_EQ(records().size(), 1U);
        const auto record = nlohmann::json::parse(readText(procdump.file(records()[0])));
        EXPECT_EQ(record["format"], "minidump");
        EXPECT_EQ(record["type"].get<std::string>().find("WithFullMemory|") != std::string::npos,
                  kind == std::string("-ma"))
            << record["type"];
        EXPECT_EQ(shell(program() + " open " + record["path"].get<std::string>() + " -c k").status,
                  0);
        for (const std::string& name : procdump.written())
            std::filesystem::remove(procdump.file(name));
    }
    EXPECT_EQ(std::filesystem::exists("/var/lib/icecore"), !ourFolder) << "left behind";
}

}  // namespace
}  // namespace icecore::tests
