// Programs of the distribution, stripped as they come: every thread as gdb and eu-stack see it.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "unwind_oracles.h"

namespace icecore::tests {
namespace {

/// A child that goes away with the test.
class Child {
public:
    explicit Child(const std::vector<std::string>& command) {
        std::vector<char*> arguments;
        arguments.reserve(command.size() + 1);
        for (const std::string& word : command)
            arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        pid_ = fork();
        if (pid_ == 0) {
            // A group of its own: bash has a child, which must end with it.
            setpgid(0, 0);
            execvp(arguments[0], arguments.data());
            _exit(127);
        }
    }
    ~Child() {
        if (pid_ <= 0) return;
        kill(-pid_, SIGKILL);
        kill(pid_, SIGKILL);  // should it not have come to make its group
        waitpid(pid_, nullptr, 0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    [[nodiscard]] std::uint64_t pid() const { return static_cast<std::uint64_t>(pid_); }

    /// Until it has `threads` threads that all sleep, three looks in a row.
    [[nodiscard]] bool settles(std::size_t threads) const {
        namespace fs = std::filesystem;
        int calm = 0;
        for (int i = 0; i < 3000 && calm < 3; ++i) {
            std::size_t count = 0;
            std::size_t asleep = 0;
            std::error_code error;
            const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
            for (const auto& task : fs::directory_iterator(tasks, error)) {
                std::ifstream file(task.path() / "stat");
                std::string line;
                std::getline(file, line);
                const std::size_t name = line.rfind(')');
                ++count;
                if (name != std::string::npos && line.substr(name + 2, 1) == "S") ++asleep;
            }
            calm = count >= threads && asleep == count ? calm + 1 : 0;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        return calm == 3;
    }

private:
    pid_t pid_ = -1;
};

struct Program {
    const char* name;
    std::vector<std::string> command;
    std::size_t threads;
};
std::ostream& operator<<(std::ostream& out, const Program& program) {
    return out << program.name;
}

class UnwindSystem : public testing::TestWithParam<Program> {};

TEST_P(UnwindSystem, StacksAreThoseOfGdbAndEuStack) {
    const Program& program = GetParam();
    if (!haveTool(program.command[0])) GTEST_SKIP() << program.command[0] << " is not installed";
    const TemporaryFolder folder;
    const std::string core = folder.file("core");
    const Child child(program.command);
    ASSERT_TRUE(child.settles(program.threads));
    const Stacks gdb = attachGdb(folder, child.pid(), core);
    const OpenDump dump(core);
    ASSERT_TRUE(dump.ok());
    const Stacks ours = dump.stacks();
    EXPECT_GE(ours.size(), program.threads);
    EXPECT_EQ(ours, euStack(core, ""));
    EXPECT_EQ(ours, gdb);
    for (const Thread& thread : dump.process().threads) {
        const Stack stack = dump.unwinder->unwind(thread);
        EXPECT_EQ(stack.end, StackEnd::complete) << describe(stack, dump);
        for (std::size_t i = 1; i < stack.frames.size(); ++i)
            EXPECT_EQ(stack.frames[i].trust, Trust::cfi) << describe(stack, dump);
    }
}

constexpr const char* pythonThreads =
    "import threading, time\n"
    "def f(n):\n"
    "    if n: f(n - 1)\n"
    "    else: time.sleep(1000)\n"
    "for i in range(3):\n"
    "    threading.Thread(target=f, args=(i,), daemon=True).start()\n"
    "f(10)\n";

INSTANTIATE_TEST_SUITE_P(
    Programs, UnwindSystem,
    testing::Values(Program{"sleep", {"sleep", "1000"}, 1},
                    Program{"bash", {"bash", "-c", "read line < <(sleep 1000)"}, 1},
                    Program{"python3", {"/usr/bin/python3", "-c", pythonThreads}, 4},
                    Program{"node", {"node", "-e", "setTimeout(() => {}, 1000000)"}, 2}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace icecore::tests
