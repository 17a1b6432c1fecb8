// gdb, lldb and eu-stack are asked the same question about our cores as about the living process:
// they open the core without a warning and show the same stacks.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "support/lldb.h"
#include "support/map_limit.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

bool installed(const std::string& tool) {
    return shell("command -v " + tool + " >/dev/null").status == 0;
}

/// Program counters that a tool printed at the start of frames, without addresses of data.
std::vector<std::string> frames(const std::string& text) {
    std::vector<std::string> result;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t at = line.find('#');
        if (at == std::string_view::npos || !trim(line.substr(0, at)).empty()) continue;
        const auto words = splitBlanks(line.substr(at));
        // gdb leaves the address out where a line begins there: take the function's name then.
        std::string frame(words[0]);
        for (const std::string_view word :
             words.size() > 1 ? std::span(words).subspan(1) : std::span(words)) {
            if (word.starts_with("0x") || word == "in") continue;
            frame += " " + std::string(word);
            break;
        }
        result.push_back(std::move(frame));
    }
    return result;
}

/// What follows the line "asked", or everything.
std::string behindMark(const std::string& text) {
    const std::size_t at = text.find("\nasked\n");
    return at == std::string::npos ? text : text.substr(at + 1);
}

/// Not the core's fault: scripts that gdb may not load, and mapped files that are deleted, of which
/// it warns with the kernel's own cores too.
bool isWarning(std::string_view line) {
    const std::string lower = toLower(line);
    return (lower.find("warning:") != std::string::npos &&
            lower.find("auto-load") == std::string::npos &&
            lower.find("(deleted)") == std::string::npos) ||
           lower.find("core file may not match") != std::string::npos;
}
std::string warnings(const std::string& text) {
    std::string found;
    for (const std::string_view line : split(text, '\n')) {
        if (isWarning(line)) found += std::string(line) + "\n";
    }
    return found;
}

class Oracle : public testing::TestWithParam<std::string> {
protected:
    /// A process of the kind, waiting in a system call in all its threads.
    void start() {
        const std::string kind = GetParam();
        const std::string command =
            kind == "sleep"     ? "exec sleep 600"
            : kind == "python3" ? "exec python3 -c 'import threading,time\n"
                                  "for i in range(3): threading.Thread(target=time.sleep,"
                                  "args=(600,),daemon=True).start()\ntime.sleep(600)'"
            : kind == "bash"    ? "exec bash -c 'read line; echo $line'"
            : kind == "node"    ? "exec node -e 'setTimeout(()=>{}, 600000)'"
                                : "exec " + target("dump_types") + " " + scratch_.file("mapped");
        // What waits for its input to end waits as long as we hold the other end.
        ASSERT_EQ(::pipe2(input_, O_CLOEXEC), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(input_[0], 0);
            ::close(1);
            ::open("/dev/null", O_WRONLY);
            ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
            ::_exit(127);
        }
        // Settled: the same threads, all asleep, for twenty looks in a row.
        std::string before;
        int same = 0;
        ASSERT_TRUE(eventually([&] {
            std::string now;
            bool asleep = true;
            std::error_code gone;
            const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
            for (const auto& task : std::filesystem::directory_iterator(tasks, gone)) {
                const std::string stat = readText(task.path().string() + "/stat");
                const std::size_t end = stat.rfind(')');
                asleep &= end != std::string::npos && stat.compare(end, 3, ") S") == 0;
                now +=
                    task.path().filename().string() + readText(task.path().string() + "/syscall");
            }
            same = asleep && now == before ? same + 1 : 0;
            before = now;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            return same >= 20;
        }));
        executable_ = std::filesystem::read_symlink("/proc/" + std::to_string(pid_) + "/exe");
    }
    void TearDown() override {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        for (const int end : input_)
            ::close(end);
    }
    void dump() {
        core_ = scratch_.file("core");
        const auto output =
            shell(program() + " dump " + std::to_string(pid_) + " -o " + core_ + " 2>&1");
        ASSERT_EQ(output.status, 0) << output.text;
    }
    pid_t pid_ = -1;
    int input_[2] = {-1, -1};
    std::string executable_, core_;
    Scratch scratch_;
};

TEST_P(Oracle, SeesTheSameStacks) {
    if (GetParam() == "node" && !installed("node")) GTEST_SKIP() << "node is missing";
    start();
    if (HasFatalFailure()) return;
    dump();
    if (HasFatalFailure()) return;
    const std::string pid = std::to_string(pid_);
    const auto compare = [](const std::string& tool, const ShellOutput& live,
                            const ShellOutput& core) {
        EXPECT_EQ(warnings(core.text), warnings(live.text)) << tool;
        std::vector<std::string> a = frames(behindMark(live.text));
        std::vector<std::string> b = frames(behindMark(core.text));
        std::ranges::sort(a);  // the order of threads differs
        std::ranges::sort(b);
        EXPECT_FALSE(a.empty()) << tool << ": " << live.text;
        EXPECT_EQ(a, b) << tool;
    };
    if (installed("eu-stack")) {
        compare("eu-stack", shell("eu-stack -p " + pid + " 2>&1"),
                shell("eu-stack --core " + core_ + " 2>&1"));
    }
    if (installed("gdb")) {
        const std::string gdb = "gdb -nx -q -batch -ex 'set debuginfod enabled off' ";
        // What it shows of its own accord when it attaches or opens comes before the mark.
        const std::string ask =
            " -ex 'echo asked\\n' -ex 'thread apply all -q bt -frame-info short-location' 2>&1";
        const auto core =
            shell(gdb + "-ex 'file " + executable_ + "' -ex 'core-file " + core_ + "'" + ask);
        compare("gdb", shell(gdb + "-p " + pid + ask), core);
        EXPECT_EQ(core.text.find("warning: Section"), std::string::npos) << core.text;
    }
    if (installed("lldb-14")) {
        const std::string live = lldb("-p " + pid + " -o 'thread backtrace all' -o detach");
        const std::string core =
            lldb("-o 'target create --core " + core_ + "' -o 'thread backtrace all'");
        EXPECT_EQ(lldbComplaints(core), "");
        // Attaching shows the threads once, where they stand; the backtraces follow.
        const std::size_t asked = live.find("(lldb) thread backtrace all");
        ASSERT_NE(asked, std::string::npos) << live;
        const auto sorted = [](const std::string& text) {  // the order of threads differs
            std::multiset<std::vector<std::string>> set;
            for (const auto& [thread, stack] : lldbStacks(text))
                set.insert(stack);
            return set;
        };
        EXPECT_FALSE(sorted(live).empty()) << live;
        EXPECT_EQ(sorted(live.substr(asked)), sorted(core)) << "lldb";
    }
}

INSTANTIATE_TEST_SUITE_P(Processes, Oracle,
                         testing::Values("sleep", "bash", "python3", "threads", "node"),
                         [](const auto& test) { return test.param; });

/// The header cannot count more than 65 534 program headers: section header 0 does. It runs alone:
/// the limit that it raises is the whole machine's.
TEST(ManySegmentsSerial, AreCountedByTheSectionHeader) {
    constexpr std::uint64_t count = 66'000;
    const MapLimit limit(count + 5000);
    if (!limit.enough())
        GTEST_SKIP() << "needs root: vm.max_map_count is too small and cannot be raised";
    const Scratch scratch;
    const std::string core = scratch.file("core");
    Victim victim("capture_memory", {"many", std::to_string(count)});
    ASSERT_TRUE(victim.until("ready"));
    const auto dumped =
        shell(program() + " dump " + std::to_string(victim.pid()) + " -o " + core + " 2>&1");
    ASSERT_EQ(dumped.status, 0) << dumped.text;
    if (installed("readelf")) {
        const std::string header = shell("readelf -hW " + core + " 2>&1").text;
        EXPECT_NE(header.find("Number of program headers:         65535 ("), std::string::npos)
            << header;
        EXPECT_NE(header.find("Number of section headers:         1\n"), std::string::npos)
            << header;
        const auto loads =
            parseDecimal(trim(shell("readelf -lW " + core + " 2>&1 | grep -c '^  LOAD '").text));
        EXPECT_GT(loads.value_or(0), count);
        EXPECT_EQ(warnings(header), "");
    }
    if (installed("gdb")) {
        const std::string said =
            shell("gdb -nx -q -batch -ex 'set debuginfod enabled off' -ex 'file " +
                  target("capture_memory") + "' -ex 'core-file " + core + "' -ex bt 2>&1")
                .text;
        EXPECT_EQ(warnings(said), "");
        EXPECT_NE(said.find(" in main ("), std::string::npos) << said;
    }
    // eu-stack looks through all segments again and again and takes a minute; its library's view of
    // the header is the same.
    if (installed("eu-readelf")) {
        const std::string said = shell("eu-readelf -h " + core + " 2>&1").text;
        EXPECT_EQ(warnings(said), "");
        EXPECT_NE(said.find("65535 ("), std::string::npos) << said;
        EXPECT_NE(said.find(" in [0].sh_info)"), std::string::npos) << said;
    }
}

}  // namespace
}  // namespace icecore::tests
