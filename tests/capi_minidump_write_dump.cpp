// MiniDumpWriteDump as a program finds it: out of libdbghelp.so, by name.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <icecore/minidump.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "formats/format.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

std::string library(const char* name) {
    return (std::filesystem::path(program()).parent_path() / name).string();
}

struct Functions {
    decltype(&::MiniDumpWriteDump) write = nullptr;
    decltype(&::icecore_last_error) lastError = nullptr;
};

Functions load(const char* name) {
    void* handle = ::dlopen(library(name).c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(handle, nullptr) << ::dlerror();
    if (handle == nullptr) return {};
    Functions found;
    found.write = reinterpret_cast<decltype(found.write)>(::dlsym(handle, "MiniDumpWriteDump"));
    found.lastError =
        reinterpret_cast<decltype(found.lastError)>(::dlsym(handle, "icecore_last_error"));
    return found;
}

HANDLE handleOf(int descriptor) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return reinterpret_cast<HANDLE>(static_cast<std::intptr_t>(descriptor));
}

class MiniDumpWriteDumpTest : public ::testing::Test {
protected:
    void SetUp() override {
        api_ = load("libdbghelp.so");
        ASSERT_NE(api_.write, nullptr);
        ASSERT_NE(api_.lastError, nullptr);
        path_ = scratch_.file("out.dmp");
        descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ASSERT_GE(descriptor_, 0);
    }
    void TearDown() override { ::close(descriptor_); }

    [[nodiscard]] static std::uint32_t self() { return static_cast<std::uint32_t>(::getpid()); }
    [[nodiscard]] Snapshot read() const {
        auto dump = openDump(path_);
        EXPECT_TRUE(dump) << dump.error().describe();
        return dump ? *std::move(dump) : Snapshot{};
    }

    Scratch scratch_;
    Functions api_;
    std::string path_;
    int descriptor_ = -1;
};

TEST_F(MiniDumpWriteDumpTest, DumpsItsCallerWhileOtherThreadsAllocate) {
    std::atomic<bool> stop{false};
    std::vector<std::jthread> busy;
    busy.reserve(4);
    for (int i = 0; i < 4; ++i) {
        busy.emplace_back([&stop] {
            while (!stop.load())
                std::make_unique<std::vector<char>>(1000).reset();
        });
    }
    for (int round = 0; round < 3; ++round) {
        ASSERT_EQ(::ftruncate(descriptor_, 0), 0);
        ASSERT_EQ(::lseek(descriptor_, 0, SEEK_SET), 0);
        EXPECT_EQ(api_.write(nullptr, self(), handleOf(descriptor_), MiniDumpNormal, nullptr,
                             nullptr, nullptr),
                  1)
            << api_.lastError();
        EXPECT_STREQ(api_.lastError(), "");
        const Snapshot dump = read();
        ASSERT_TRUE(dump.process);
        EXPECT_EQ(dump.process->pid, self());
        EXPECT_GE(dump.process->threads.size(), 5U);
        EXPECT_NE(dump.process->thread(self()), nullptr);
    }
    stop.store(true);
}

TEST_F(MiniDumpWriteDumpTest, KeepsExceptionAndStreamsOfItsCaller) {
    EXCEPTION_RECORD record{};
    record.ExceptionCode = 11;
    record.ExceptionFlags = 1;
    record.ExceptionAddress = handleOf(0x1234);
    EXCEPTION_POINTERS pointers{&record, nullptr};
    const auto tid = static_cast<std::uint32_t>(::syscall(SYS_gettid));
    const MINIDUMP_EXCEPTION_INFORMATION exception{tid, &pointers, 0};
    std::string text = "of my own";
    MINIDUMP_USER_STREAM stream{0x12345, static_cast<std::uint32_t>(text.size()), text.data()};
    const MINIDUMP_USER_STREAM_INFORMATION streams{1, &stream};
    ASSERT_EQ(api_.write(nullptr, self(), handleOf(descriptor_), MiniDumpNormal, &exception,
                         &streams, nullptr),
              1)
        << api_.lastError();
    const Snapshot dump = read();
    ASSERT_TRUE(dump.process);
    ASSERT_TRUE(dump.process->exception);
    EXPECT_EQ(dump.process->exception->threadId, tid);
    EXPECT_EQ(dump.process->exception->code, 11U);
    const SharedBytes* content = dump.attachment("stream/0x12345");
    ASSERT_NE(content, nullptr);
    EXPECT_EQ(content->text(), text);
}

TEST_F(MiniDumpWriteDumpTest, DotNetsNameIsTheSameLibrary) {
    EXPECT_EQ(load("dbghelp.dll.so").write, api_.write);
}

TEST_F(MiniDumpWriteDumpTest, RefusesWhatItCannotDo) {
    const auto call = [&](std::uint32_t pid, int descriptor, unsigned flags) {
        errno = 0;
        EXPECT_EQ(api_.write(nullptr, pid, handleOf(descriptor), static_cast<MINIDUMP_TYPE>(flags),
                             nullptr, nullptr, nullptr),
                  0);
        EXPECT_STRNE(api_.lastError(), "");
        return errno;
    };
    EXPECT_EQ(call(self(), -1, 0), EINVAL);
    EXPECT_EQ(call(0, descriptor_, 0), EINVAL);
    EXPECT_EQ(call(self(), descriptor_, 0x80000000U), EINVAL);
    const int readOnly = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(call(self(), readOnly, 0), EINVAL);
    ::close(readOnly);
    // Above every pid there can be (PID_MAX_LIMIT is 2^22).
    EXPECT_EQ(call(5000000, descriptor_, 0), ESRCH);
    EXPECT_EQ(std::filesystem::file_size(path_), 0U);
}

/// A routine that wants one thread, no module whose path contains `unwanted`, one range more,
/// another one less, and to be asked again whether to go on.
struct Choices {
    std::uint32_t thread = 0;
    std::string unwanted;
    Range more, less;
    bool cancel = false;
    // What it saw.
    std::vector<std::uint32_t> types;
    std::vector<std::string> paths;
    std::size_t stacks = 0, contexts = 0, buildIds = 0;

    static std::int32_t routine(void* self, MINIDUMP_CALLBACK_INPUT* input,
                                MINIDUMP_CALLBACK_OUTPUT* output) {
        return static_cast<Choices*>(self)->answer(*input, *output) ? 1 : 0;
    }
    bool answer(const MINIDUMP_CALLBACK_INPUT& input, MINIDUMP_CALLBACK_OUTPUT& output) {
        types.push_back(input.CallbackType);
        const auto once = [&](Range& range) {
            output.u.Memory.MemoryBase = range.begin();
            output.u.Memory.MemorySize = static_cast<std::uint32_t>(range.size());
            range = {};
            return true;
        };
        switch (input.CallbackType) {
        case IncludeThreadCallback: return input.u.IncludeThread.ThreadId == thread;
        case ThreadCallback:
            stacks += input.u.Thread.StackBase > input.u.Thread.StackEnd ? 1 : 0;
            contexts += input.u.Thread.SizeOfContext == 1232 ? 1 : 0;
            return input.u.Thread.ThreadId == thread;
        case IncludeModuleCallback: return true;
        case ModuleCallback: {
            std::string path;
            for (const std::uint16_t* unit = input.u.Module.FullPath; *unit != 0; ++unit)
                path += static_cast<char>(*unit);
            paths.push_back(path);
            buildIds += input.u.Module.SizeOfCvRecord > 4 ? 1 : 0;
            if (path.find(unwanted) != std::string::npos)
                output.u.ModuleWriteFlags &= ~std::uint32_t{ModuleWriteModule};
            return true;
        }
        case MemoryCallback: return once(more);
        case RemoveMemoryCallback: return once(less);
        case CancelCallback:
            output.u.Cancel.CheckCancel = 1;
            output.u.Cancel.Cancel = cancel ? 1 : 0;
            return true;
        default: return false;
        }
    }
};

/// Memory of which a mini dump has nothing by itself.
struct Marked {
    std::vector<char> bytes = std::vector<char>(4 * 4096, 'm');
    [[nodiscard]] Range page(std::uint64_t index) const {
        const std::uint64_t first = alignUp(reinterpret_cast<std::uintptr_t>(bytes.data()), 4096);
        return Range::ofSize(first + index * 4096, 4096);
    }
};

TEST_F(MiniDumpWriteDumpTest, AsksItsCallerWhatToWriteOfItself) {
    const Marked marked;
    std::atomic<bool> stop{false};
    std::jthread other([&stop] {
        while (!stop.load())
            std::this_thread::yield();
    });
    Choices choices;
    choices.thread = static_cast<std::uint32_t>(::syscall(SYS_gettid));
    choices.unwanted = "libc.so";
    choices.more = Range::between(marked.page(0).begin(), marked.page(1).end());
    choices.less = marked.page(1);
    const MINIDUMP_CALLBACK_INFORMATION callback{&Choices::routine, &choices};
    EXPECT_EQ(api_.write(nullptr, self(), handleOf(descriptor_), MiniDumpNormal, nullptr, nullptr,
                         &callback),
              1)
        << api_.lastError();
    stop.store(true);
    const Snapshot dump = read();
    ASSERT_TRUE(dump.process);
    ASSERT_EQ(dump.process->threads.size(), 1U);
    EXPECT_EQ(dump.process->threads[0].id, choices.thread);
    EXPECT_EQ(choices.stacks, 1U);
    EXPECT_EQ(choices.contexts, 1U);
    EXPECT_GT(choices.buildIds, 0U);
    EXPECT_GT(choices.paths.size(), 2U);
    EXPECT_EQ(dump.process->modules.size(), choices.paths.size() - 1);
    for (const Module& module : dump.process->modules)
        EXPECT_EQ(module.path.find("libc.so"), std::string::npos);
    EXPECT_EQ(dump.process->memory->readInteger<std::uint32_t>(marked.page(0).begin()),
              0x6d6d6d6dU);
    EXPECT_FALSE(dump.process->memory->readInteger<std::uint32_t>(marked.page(1).begin()));
    EXPECT_EQ(choices.types.front(), CancelCallback);
}

TEST_F(MiniDumpWriteDumpTest, AsksItsCallerWhatToWriteOfAnotherProcess) {
    Victim victim("capture_threads", {"many", "5"});
    ASSERT_TRUE(victim.until("ready"));
    Choices choices;
    choices.thread = static_cast<std::uint32_t>(victim.pid());
    choices.unwanted = "libc.so";
    const MINIDUMP_CALLBACK_INFORMATION callback{&Choices::routine, &choices};
    const auto pid = static_cast<std::uint32_t>(victim.pid());
    ASSERT_EQ(api_.write(nullptr, pid, handleOf(descriptor_), MiniDumpNormal, nullptr, nullptr,
                         &callback),
              1)
        << api_.lastError();
    const Snapshot dump = read();
    ASSERT_TRUE(dump.process);
    EXPECT_EQ(dump.process->pid, static_cast<std::uint64_t>(victim.pid()));
    ASSERT_EQ(dump.process->threads.size(), 1U);
    EXPECT_EQ(std::ranges::count(choices.types, static_cast<std::uint32_t>(IncludeThreadCallback)),
              6);
    EXPECT_EQ(dump.process->modules.size(), choices.paths.size() - 1);
    EXPECT_TRUE(victim.alive());
}

TEST_F(MiniDumpWriteDumpTest, IsCancelledByItsCallback) {
    Choices choices;
    choices.cancel = true;
    const MINIDUMP_CALLBACK_INFORMATION callback{&Choices::routine, &choices};
    EXPECT_EQ(api_.write(nullptr, self(), handleOf(descriptor_), MiniDumpNormal, nullptr, nullptr,
                         &callback),
              0);
    EXPECT_EQ(errno, ECANCELED);
    EXPECT_NE(std::string(api_.lastError()).find("cancelled"), std::string::npos);
    EXPECT_EQ(choices.types.size(), 1U);
    EXPECT_EQ(std::filesystem::file_size(path_), 0U);
}

TEST_F(MiniDumpWriteDumpTest, ExportsItsFunctionsAndNothingElse) {
    const ShellOutput names = shell("nm -D --defined-only " + library("libdbghelp.so") +
                                    " | awk '$2 != \"A\" {print $3}' | sort");
    EXPECT_EQ(names.text,
              "MiniDumpWriteDump@@ICECORE_DBGHELP_0\n"
              "icecore_last_error@@ICECORE_DBGHELP_0\n");
}

}  // namespace
}  // namespace icecore::tests
