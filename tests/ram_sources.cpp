// Where `icecore ram` takes memory from: what it says of sources that cannot be read, and block
// devices at either end.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "support/image_compare.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

class RamSources : public testing::Test {
protected:
    ShellOutput icecore(const std::string& arguments) {
        return shell("cd '" + scratch_.file("") + "'; { " + program() + " " + arguments +
                     "; } 2>&1");
    }
    std::string file(const std::string& name) { return scratch_.file(name); }
    void expectRefused(const std::string& source, const std::string& line) {
        const auto refused = icecore("ram --plan --source '" + source + "'");
        EXPECT_EQ(refused.status, 1) << source;
        EXPECT_EQ(refused.text, "icecore: " + line + "\n");
    }
    /// A page of noise in each two.
    void writeMemory(const std::string& name, std::size_t size) {
        std::mt19937_64 random(size);
        std::string bytes(size, '\0');
        for (std::size_t at = 0; at + 8 <= size; at += 8) {
            const std::uint64_t value = (at >> 12) % 2 != 0 ? random() : 0;
            std::memcpy(bytes.data() + at, &value, sizeof value);
        }
        std::ofstream(file(name), std::ios::binary) << bytes;
    }

    Scratch scratch_;
};

/// A socket whose owner has gone, or that is listened at and says nothing that QMP would.
class UnixSocket {
public:
    explicit UnixSocket(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        bound_ = ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    ~UnixSocket() { ::close(socket_); }
    UnixSocket(const UnixSocket&) = delete;
    UnixSocket& operator=(const UnixSocket&) = delete;
    [[nodiscard]] bool bound() const { return bound_; }

private:
    int socket_;
    bool bound_ = false;
};

TEST_F(RamSources, WhatIsNoSourceIsToldInOneLineThatSaysWhatToGive) {
    expectRefused(".", ".: is a directory: give a file or device that holds memory");
    ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
    expectRefused("pipe",
                  "pipe: is a pipe, which cannot be read at any place: give a file or device");
    std::ofstream(file("empty")) << "";
    expectRefused("empty", "empty: is empty");
    expectRefused("/dev/null", "/dev/null: is a device that does not tell how large it is");
    expectRefused("nothing", "nothing: cannot be opened: No such file or directory");
    expectRefused("", ": no source is named");
    expectRefused("qmp:", "qmp:: no socket is named: give qmp:SOCKET");
    expectRefused("qmp:nothing",
                  "qmp:nothing: cannot connect to QEMU's monitor: No such file or directory "
                  "(nothing)");
    expectRefused("qmp:empty",
                  "qmp:empty: is no socket: start QEMU with -qmp unix:SOCKET,server=on,wait=off "
                  "(empty)");
    const std::string far(200, 'x');
    expectRefused("qmp:" + far, "qmp:" + far +
                                    ": is longer than a socket's path may be (107 bytes): link it "
                                    "elsewhere (" +
                                    far + ")");
    // In a folder whose own name may be too long for a socket.
    const std::string path = "/tmp/icecore-" + std::to_string(::getpid()) + ".socket";
    {
        const UnixSocket left(path);
        ASSERT_TRUE(left.bound());
    }
    expectRefused("qmp:" + path, "qmp:" + path +
                                     ": nobody listens at QEMU's monitor (has the guest ended?): "
                                     "Connection refused (" +
                                     path + ")");
    expectRefused(path,
                  path + ": is a socket: if it is the monitor of a guest of QEMU, give qmp:SOCKET");
    std::filesystem::remove(path);
}

TEST_F(RamSources, WhereNothingCanBeWrittenTheFileIsNamedWhole) {
    writeMemory("m.raw", 8192);
    const auto refused = icecore("ram --source m.raw -o nowhere/x.aff4");
    EXPECT_EQ(refused.status, 1);
    EXPECT_EQ(refused.text,
              "icecore: nowhere/x.aff4: cannot create: No such file or directory "
              "(nowhere/x.aff4.part)\n");
}

TEST_F(RamSources, TheDumpOfAProcessIsNoMemoryOfAMachine) {
    expectRefused(sourceFile("fuzz/corpus/minidump/icecore_memory"),
                  sourceFile("fuzz/corpus/minidump/icecore_memory") +
                      ": is the dump of a process, not the memory of a machine");
}

/// What this very machine says depends on it; that it is said once does not.
TEST_F(RamSources, ThisMachinesSourcesAreNamedOnce) {
    for (const auto& [source, path] :
         {std::pair{"kcore", "/proc/kcore"}, {"crash", "/dev/crash"}, {"mem", "/dev/mem"}}) {
        const auto said = icecore(fmt::format("ram --plan --source {}", source));
        if (said.status == 0) continue;
        EXPECT_EQ(said.text.find(fmt::format("icecore: {}: ", source)), 0U) << said.text;
        EXPECT_EQ(said.text.find(fmt::format("{}: {}", source, source)), std::string::npos)
            << said.text;
        EXPECT_NE(said.text.find(path), std::string::npos) << said.text;
    }
}

/// Whoever is refused is told by which source and why, whatever this machine has: to another user
/// than root, and to root of a user namespace, none is open anywhere.
TEST_F(RamSources, WithoutRightsEachSourceSaysWhy) {
    std::filesystem::permissions(file(""), std::filesystem::perms::all);
    const std::string copy = file("icecore");
    std::filesystem::copy_file(program(), copy);  // where everybody gets at it
    const std::string other =
        ::geteuid() == 0 ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : "";
    const std::string nested = "unshare -r ";
    for (const std::string& as : {other, nested, other + nested}) {
        if (shell(as + "true 2>&1").status != 0) continue;  // namespaces may be forbidden
        const auto refused = shell(fmt::format("cd /; {{ {}{} ram --plan; }} 2>&1", as, copy));
        EXPECT_EQ(refused.status, 1) << as << refused.text;
        EXPECT_THAT(refused.text,
                    testing::StartsWith(
                        "icecore: ram: no source of this machine's memory can be read: kcore: "))
            << as;
        for (const std::string source : {"kcore", "mem"}) {
            const std::string path = (source == "mem" ? "/dev/" : "/proc/") + source;
            // Where it is there and to be seen, what is said of it is why it is closed to this one.
            const bool seen = std::filesystem::exists(path) &&
                              std::filesystem::is_regular_file(path) == (source == "kcore");
            const std::string said =
                seen ? fmt::format(
                           "{}: cannot be opened: [A-Z][a-z ]*: this process is "
                           "(not root|in a user namespace).*\\({}\\)",
                           source, path)
                     : source + ": is (not there|hidden)";
            EXPECT_THAT(refused.text, testing::ContainsRegex(said)) << as;
        }
        EXPECT_EQ(std::ranges::count(refused.text, '\n'), 1) << refused.text;
    }
}

TEST_F(RamSources, PageFilesAreWindowsAndSwapLiesElsewhere) {
    const auto refused = icecore("winpmem -p pagefile.sys -o x.aff4");
    EXPECT_EQ(refused.status, 2);
    for (const char* const part : {"icecore: winpmem: -p: ", "Windows", "swapon --show"})
        EXPECT_NE(refused.text.find(part), std::string::npos) << refused.text;
}

/// A file as a block device, where loop devices can be had.
class LoopDevice {
public:
    explicit LoopDevice(const std::string& file) {
        const auto made = shell("losetup --find --show '" + file + "' 2>&1");
        if (made.status == 0)
            path_ = made.text.substr(0, made.text.find('\n'));
        else
            problem_ = "no loop device can be had: " + made.text;
    }
    ~LoopDevice() {
        if (!path_.empty()) shell("losetup --detach " + path_);
    }
    LoopDevice(const LoopDevice&) = delete;
    LoopDevice& operator=(const LoopDevice&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    std::string path_, problem_;
};

class RamDevices : public RamSources {
protected:
    static constexpr std::size_t size_ = std::size_t{4} << 20;
    void SetUp() override { writeMemory("memory.raw", size_); }
};

TEST_F(RamDevices, ABlockDeviceIsASource) {
    const LoopDevice device(file("memory.raw"));
    if (!device.problem().empty()) GTEST_SKIP() << device.problem();
    const auto plan = icecore("ram --plan --source " + device.path());
    EXPECT_EQ(plan.status, 0);
    EXPECT_NE(plan.text.find("4.0 MiB in 1 range\n"), std::string::npos) << plan.text;
    for (const std::string name : {"a.aff4", "a.lime", "a.raw"}) {
        const auto taken = icecore("ram --source " + device.path() + " -o " + name);
        ASSERT_EQ(taken.status, 0) << taken.text;
        EXPECT_TRUE(sameMemory(file("memory.raw"), file(name))) << name;
        EXPECT_TRUE(sameMemory(file(name), file("memory.raw"))) << name;
    }
    // Other verbs read files, and say what to do.
    const auto opened = icecore("info " + device.path());
    EXPECT_EQ(opened.status, 1);
    EXPECT_NE(opened.text.find("copy it to one first"), std::string::npos) << opened.text;
}

TEST_F(RamDevices, ABlockDeviceIsADestination) {
    std::ofstream(file("disk")) << "";
    std::filesystem::resize_file(file("disk"), 3 * size_);
    const LoopDevice device(file("disk"));
    if (!device.problem().empty()) GTEST_SKIP() << device.problem();
    for (const std::string& verb :
         {"convert memory.raw " + device.path(), "ram --source memory.raw -o " + device.path()}) {
        for (const std::string format : {"raw", "aff4", "lime"}) {
            const std::string line = fmt::format("{} --format {}", verb, format);
            const auto refused = icecore(line);
            EXPECT_EQ(refused.status, 1) << line;
            EXPECT_NE(refused.text.find("--overwrite"), std::string::npos) << refused.text;
            const auto written = icecore(line + " --overwrite");
            ASSERT_TRUE(written.status == 0 || written.status == 3) << written.text;
            // As long as the image is; behind it the device has what it had.
            const auto bytes =
                written.text.substr(written.text.find("B (") + 3,
                                    written.text.find(" bytes)") - written.text.find("B (") - 3);
            const std::string copy = "copy." + format;
            ASSERT_EQ(shell("head -c " + bytes + " " + device.path() + " > " + file(copy)).status,
                      0);
            EXPECT_TRUE(sameMemory(file(copy), file("memory.raw"))) << line;
            EXPECT_EQ(icecore("verify " + copy).status, 0) << line;
        }
    }
    // One that is too small is full, and says so.
    writeMemory("large.raw", 4 * size_);
    const auto full = icecore("convert large.raw " + device.path() + " --format raw --overwrite");
    EXPECT_EQ(full.status, 1);
    EXPECT_NE(full.text.find("the device is full"), std::string::npos) << full.text;
}

}  // namespace
}  // namespace icecore::tests
