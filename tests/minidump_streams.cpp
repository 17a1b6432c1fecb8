// The streams of a minidump of a real process, as LLVM's reader shows them, beside /proc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <filesystem>
#include <set>

#include "base/text.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using testing::HasSubstr;

class MinidumpStreams : public testing::Test {
protected:
    void SetUp() override {
        if (shell("command -v obj2yaml-19").status != 0)
            GTEST_SKIP() << "obj2yaml-19 (llvm-19) is not installed";
        ASSERT_TRUE(victim_.until("ready"));
        const std::string path = scratch_.file("it.dmp");
        const auto dumped =
            shell(program() + " dump " + pid() + " -o " + path +
                  " --type 'WithFullMemoryInfo,WithThreadInfo,WithHandleData' 2>&1");
        ASSERT_EQ(dumped.status, 0) << dumped.text;
        const auto read = shell("obj2yaml-19 " + path + " 2>&1");
        ASSERT_EQ(read.status, 0) << read.text;
        yaml_ = read.text;
    }
    [[nodiscard]] std::string pid() const { return std::to_string(victim_.pid()); }
    [[nodiscard]] std::string proc(const std::string& file) const {
        return readText("/proc/" + pid() + "/" + file);
    }
    /// The lines of a stream, without its first one.
    [[nodiscard]] std::vector<std::string> stream(const std::string& type) const {
        std::vector<std::string> lines;
        bool inside = false;
        for (const std::string_view line : split(yaml_, '\n')) {
            if (line.starts_with("  - Type: "))
                inside = splitBlanks(line).back() == type;
            else if (inside)
                lines.emplace_back(line);
        }
        return lines;
    }
    /// The values of a key in a stream, in order.
    [[nodiscard]] std::vector<std::string> values(const std::string& type,
                                                  const std::string& key) const {
        std::vector<std::string> found;
        for (const std::string& line : stream(type)) {
            std::string_view text = trim(line);
            if (text.starts_with("- ")) text.remove_prefix(2);
            if (!text.starts_with(key + ":")) continue;
            text = trim(text.substr(key.size() + 1));
            if (text.size() > 1 && text.front() == '\'') text = text.substr(1, text.size() - 2);
            found.emplace_back(text);
        }
        return found;
    }
    [[nodiscard]] std::vector<std::uint64_t> numbers(const std::string& type,
                                                     const std::string& key) const {
        std::vector<std::uint64_t> found;
        for (const std::string& value : values(type, key))
            found.push_back(parseNumber(value).value_or(0));
        return found;
    }

    const Scratch scratch_;
    Victim victim_{
        "dump_types", {scratch_.file("mapped")}, [] { ::setenv("ICECORE_MARK", "some value", 1); }};
    std::string yaml_;
};

TEST_F(MinidumpStreams, SystemIsThisOne) {
    utsname name{};
    ASSERT_EQ(::uname(&name), 0);
    EXPECT_THAT(values("SystemInfo", "Platform ID"), testing::ElementsAre("Linux"));
    EXPECT_THAT(values("SystemInfo", "Processor Arch"), testing::ElementsAre("AMD64"));
    EXPECT_THAT(numbers("SystemInfo", "Number of Processors"),
                testing::ElementsAre(static_cast<std::uint64_t>(::sysconf(_SC_NPROCESSORS_ONLN))));
    ASSERT_EQ(values("SystemInfo", "CSD Version").size(), 1U);
    EXPECT_THAT(values("SystemInfo", "CSD Version")[0], HasSubstr(name.release));
    EXPECT_THAT(stream("MiscInfo"), testing::Not(testing::IsEmpty()));
}

TEST_F(MinidumpStreams, ThreadsAreTheTasks) {
    std::set<std::uint64_t> tasks;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + pid() + "/task"))
        tasks.insert(*parseDecimal(task.path().filename().string()));
    const auto ids = numbers("ThreadList", "Thread Id");
    EXPECT_EQ(std::set(ids.begin(), ids.end()), tasks);
    EXPECT_EQ(ids.size(), 2U);
    // A context of an x86-64 thread: 1232 bytes, and the saved wide registers behind it.
    for (const std::string& context : values("ThreadList", "Context"))
        EXPECT_GE(context.size(), std::size_t{1232} * 2);
    EXPECT_EQ(values("ThreadList", "Context").size(), 2U);
    // Each thread's stack is there, from its stack pointer on.
    const auto stacks = numbers("ThreadList", "Start of Memory Range");
    const std::string maps = proc("maps");
    for (const std::uint64_t at : stacks) {
        const auto lines = split(maps, '\n');
        const auto holds = [&](const std::string_view line) {
            const auto ends = split(line.substr(0, line.find(' ')), '-');
            return ends.size() == 2 && *parseHex(ends[0]) <= at && at < *parseHex(ends[1]) &&
                   line.find(" rw") != std::string_view::npos;
        };
        EXPECT_TRUE(std::ranges::any_of(lines, holds)) << hex(at);
    }
    EXPECT_EQ(stacks.size(), 2U);
}

TEST_F(MinidumpStreams, ModulesCarryTheBuildIdsOfTheirFiles) {
    const auto names = values("ModuleList", "Module Name");
    const auto bases = numbers("ModuleList", "Base of Image");
    const auto records = values("ModuleList", "CodeView Record");
    ASSERT_EQ(names.size(), bases.size());
    ASSERT_EQ(names.size(), records.size());
    for (const char* part : {"/dump_types", "/libc.so.6", "/libstdc++.so.6", "/ld-linux", "[vdso]"})
        EXPECT_THAT(names, testing::Contains(HasSubstr(part)));
    const std::string maps = proc("maps");
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!names[i].starts_with('/')) continue;
        // The first mapping of the file begins there.
        EXPECT_THAT(maps, HasSubstr(hexDigits(bases[i], 1) + "-")) << names[i];
        const std::string id = std::string(
            trim(shell("readelf -n " + names[i] + " | sed -n 's/.*Build ID: //p'").text));
        // "BpEL" and the build-id itself, as Breakpad writes it.
        EXPECT_EQ(toLower(records[i]), "4c457042" + id) << names[i];
    }
}

TEST_F(MinidumpStreams, MemoryInfoIsMaps) {
    const auto bases = numbers("MemoryInfoList", "Base Address");
    const auto sizes = numbers("MemoryInfoList", "Region Size");
    const auto protections = values("MemoryInfoList", "Allocation Protect");
    ASSERT_EQ(bases.size(), sizes.size());
    std::vector<std::string> ours;
    ours.reserve(bases.size());
    for (std::size_t i = 0; i < bases.size(); ++i)
        ours.push_back(hexDigits(bases[i], 1) + "-" + hexDigits(bases[i] + sizes[i], 1));
    std::vector<std::string> theirs;
    const std::string maps = proc("maps");
    for (const std::string_view line : split(maps, '\n')) {
        if (line.empty()) continue;
        theirs.emplace_back(line.substr(0, line.find(' ')));
        const auto at = std::ranges::find(ours, theirs.back());
        if (at == ours.end()) continue;
        const std::string& said = protections[static_cast<std::size_t>(at - ours.begin())];
        const std::string_view access = splitBlanks(line)[1];
        EXPECT_EQ(said.find("EXECUTE") != std::string::npos, access[2] == 'x') << line << said;
        EXPECT_EQ(said.find("WRITE") != std::string::npos, access[1] == 'w') << line << said;
    }
    EXPECT_EQ(ours, theirs);
}

TEST_F(MinidumpStreams, LinuxStreamsAreTheFilesOfProc) {
    const auto asHex = [&](const std::string& file) {
        const std::string bytes = proc(file);
        return hexBytes(std::as_bytes(std::span(bytes)));
    };
    const auto content = [&](const std::string& type) {
        const auto found = values(type, "Content");
        return found.empty() ? std::string() : toLower(found[0]);
    };
    EXPECT_EQ(content("LinuxAuxv"), asHex("auxv"));
    EXPECT_EQ(content("LinuxEnviron"), asHex("environ"));
    EXPECT_THAT(proc("environ"), HasSubstr("ICECORE_MARK=some value"));
    const auto text = [&](const std::string& type) {
        std::string joined;
        for (const std::string& line : stream(type)) {
            if (!line.starts_with("    Text:")) joined += std::string(trim(line)) + "\n";
        }
        return joined;
    };
    const std::string maps = proc("maps");
    std::string trimmed;
    for (const std::string_view line : split(maps, '\n'))
        trimmed += std::string(trim(line)) + "\n";
    EXPECT_EQ(trim(text("LinuxMaps")), trim(trimmed));
    EXPECT_THAT(text("LinuxCMDLine"), HasSubstr(target("dump_types")));
    EXPECT_THAT(text("LinuxProcStatus"), HasSubstr("Name:\tdump_types"));
    EXPECT_THAT(text("LinuxProcStatus"), HasSubstr("Pid:\t" + pid()));
    EXPECT_THAT(text("LinuxCPUInfo"), HasSubstr("processor"));
    EXPECT_THAT(stream("LinuxLSBRelease"), testing::Not(testing::IsEmpty()));
    EXPECT_FALSE(content("LinuxDSODebug").empty());
    EXPECT_FALSE(content("HandleData").empty());
    EXPECT_FALSE(content("ThreadInfoList").empty());
    EXPECT_FALSE(content("0x18").empty()) << "ThreadNames";
}

}  // namespace
}  // namespace icecore::tests
