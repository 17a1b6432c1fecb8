// The static program inside real kernels: it takes their memory through /proc/kcore and writes it
// to a disk, and nearly every page is what QEMU has when the guest stands still afterwards. Where
// the kernel is locked down, or rights are missing, it says what stands in the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "formats/image/translation.h"
#include "support/guest.h"
#include "support/image_compare.h"

namespace icecore::tests {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* older = "linux-image-cloud-amd64";       // 6.1
constexpr const char* newer = "linux-image-6.12-cloud-amd64";  // of the security updates

std::string staticProgram() {
    return sourceFile("build/static/icecore");
}

/// `make test` builds it; whoever runs this by hand may have to.
bool haveStaticProgram() {
    return std::filesystem::exists(staticProgram());
}

TEST(RamStatic, IsSmallAndNeedsNothing) {
    if (!haveStaticProgram()) GTEST_SKIP() << "`make static` has not been run";
    EXPECT_LT(std::filesystem::file_size(staticProgram()), 12'000'000U);
    EXPECT_EQ(shell("readelf -dl " + staticProgram() + " | grep -E 'NEEDED|INTERP'").text, "");
    EXPECT_EQ(shell("env -i " + staticProgram() + " --version").status, 0);
}

class RamInside : public testing::Test {
protected:
    void TearDown() override { (void)shell("kill $(cat '" + file("pid") + "') 2>/dev/null"); }
    std::string file(const std::string& name) { return scratch_.file(name); }

    /// Boots a guest that runs `script` and has `files` beside the program.
    void boot(const char* kernel, const std::string& script, std::vector<std::string> files,
              const std::vector<std::string>& arguments, const std::string& commandLine) {
        if (!haveStaticProgram()) GTEST_SKIP() << "`make static` has not been run";
        std::ofstream(file("autorun")) << script;
        files.push_back(staticProgram());
        files.push_back(file("autorun"));
        const GuestFiles made = guestFiles(files, file("guest"), kernel);
        if (!made.problem.empty()) GTEST_SKIP() << made.problem;
        guest_ = std::make_unique<Guest>(made, arguments, commandLine);
        ASSERT_TRUE(guest_->ready()) << guest_->console();
    }

    /// Then it stands still and its memory is saved from outside.
    void run(const char* kernel, const std::string& script, std::vector<std::string> files,
             const std::vector<std::string>& arguments, const std::string& commandLine) {
        boot(kernel, script, std::move(files), arguments, commandLine);
        if (IsSkipped() || HasFatalFailure()) return;
        ASSERT_NE(guest_->console().find("status 0"), std::string::npos) << guest_->console();
        ASSERT_TRUE(guest_->command(R"({"execute":"stop"})").starts_with("{\"return\""));
        ASSERT_TRUE(guest_
                        ->command(R"({"execute":"dump-guest-memory","arguments":{"paging":false,)"
                                  R"("protocol":"file:)" +
                                  file("q.elf") + "\"}}")
                        .starts_with("{\"return\""));
    }

    /// Has it take its own memory in `format` to its disk, with QEMU's arguments besides; before
    /// that it runs `first`.
    void take(const char* kernel, const std::string& format, const std::string& options,
              const std::vector<std::string>& arguments, const std::string& commandLine = "",
              const std::string& first = "") {
        const std::string script =
            first +
            "icecore ram --plan --source mem\n"
            "icecore ram --plan\n"
            "ln -s icecore /bin/winpmem; winpmem --output /tmp/memdump.raw "
            "--format raw --volume_format raw; echo winpmem $?\n"
            "icecore ram -o /dev/vda --overwrite --manifest /tmp/m --format " +
            format + " " + options + "\necho status $?\necho MANIFEST; cat /tmp/m; echo END\n";
        std::ofstream(file("disk")) << "";
        std::filesystem::resize_file(file("disk"), std::uintmax_t{1} << 30);
        std::vector<std::string> all = arguments;
        all.insert(all.end(),
                   {"-drive", "file=" + file("disk") + ",format=raw,if=virtio,cache=unsafe"});
        run(kernel, script, {}, all, "guest.disk " + commandLine);
        if (IsSkipped() || HasFatalFailure()) return;
        // The disk has room for more than the image, which formats that end in a directory mind.
        const json said = manifest();
        ASSERT_TRUE(said.is_object()) << guest_->console();
        std::filesystem::resize_file(file("disk"), said["bytes"].get<std::uint64_t>());
        // The root file system is memory: the image would overwrite what it is to hold.
        EXPECT_NE(guest_->console().find("the very memory that is taken"), std::string::npos)
            << guest_->console();
        EXPECT_NE(guest_->console().find("winpmem 1"), std::string::npos) << guest_->console();
    }
    /// What the script's command of that name said; its exit status is the last line.
    std::string said(const std::string& name) {
        const std::string console = guest_->console(), begin = "CASE " + name + "\r\n";
        const std::size_t at = console.find(begin);
        if (at == std::string::npos) return {};
        return console.substr(at, console.find("CASE ", at + begin.size()) - at);
    }
    json manifest() {
        const std::string console = guest_->console();
        const std::size_t begin = console.find("MANIFEST");
        const std::size_t end = console.find("END", begin);
        if (end == std::string::npos) return {};
        return json::parse(console.substr(begin + 8, end - begin - 8), nullptr, false);
    }
    /// At least that part of the pages, and every one of them there.
    void compare(double part = 0.99) {
        const ImageComparison same = compareImages(file("disk"), file("q.elf"));
        ASSERT_EQ(same.problem, "");
        std::cout << same.same << " of " << same.pages << " pages are the same\n";
        EXPECT_GE(static_cast<double>(same.same), part * static_cast<double>(same.pages))
            << same.same << " of " << same.pages;
    }

    Scratch scratch_;
    std::unique_ptr<Guest> guest_;
};

TEST_F(RamInside, NinetyNinePercentOfThePagesAreTheSame) {
    take(older, "lime", "", {"-m", "512", "-smp", "2"});
    if (IsSkipped() || HasFatalFailure()) return;
    compare();
    const json said = manifest();
    EXPECT_EQ(said["source"], "kcore");
    EXPECT_EQ(said["unread"], json::array());
    EXPECT_EQ(said["direct_io"], true);
    EXPECT_NE(said["vmcoreinfo"].get<std::string>().find("OSRELEASE=6.1."), std::string::npos);
    EXPECT_GT(said["memory_bytes"].get<std::uint64_t>(), std::uint64_t{500} << 20);
    // The hash of what was written, as the host finds it on the disk.
    const auto theirs = shell("sha256sum < " + file("disk"));
    EXPECT_EQ(theirs.text.substr(0, 64), said["hashes"]["sha256"].get<std::string>());
    // /dev/mem is closed behind its first megabyte, and the plan says so.
    EXPECT_NE(guest_->console().find("mem: "), std::string::npos);
}

/// What a script is to run, so that `said` finds it.
std::string scriptCase(const std::string& name, const std::string& command) {
    return "echo CASE " + name + "; " + command + "; echo exit $?\n";
}

constexpr const char* plan = "icecore ram --plan";
constexpr const char* makeUser = "mkdir /etc; echo user:x:1000:1000::/:/bin/sh > /etc/passwd\n";
constexpr const char* planOfUser = "su user -c 'icecore ram --plan'";
constexpr const char* planInNamespace = "unshare -r icecore ram --plan";
constexpr const char* mountSecurityfs =
    "mount -t securityfs s /sys/kernel/security; cat /sys/kernel/security/lockdown\n";

/// Of a kernel that is locked down for integrity, which closes /dev/mem and not /proc/kcore.
TEST_F(RamInside, AKdumpOnADiskIsWholeAndHardlyMore) {
    take(older, "kdump", "", {"-m", "512", "-smp", "2"}, "lockdown=integrity",
         std::string(makeUser) + mountSecurityfs +
             scriptCase("mem", "icecore ram --plan --source mem") + scriptCase("plan", plan) +
             scriptCase("user", planOfUser) + scriptCase("nested", planInNamespace));
    if (IsSkipped() || HasFatalFailure()) return;
    EXPECT_THAT(guest_->console(), HasSubstr("none [integrity] confidentiality"));
    EXPECT_THAT(said("mem"),
                AllOf(HasSubstr("icecore: mem: cannot be opened: Operation not permitted: the "
                                "kernel is locked down for integrity (/dev/mem). What would help: "
                                "/proc/kcore is open to root"),
                      HasSubstr("exit 1")));
    EXPECT_THAT(said("plan"), AllOf(HasSubstr("Source       /proc/kcore, where /proc/iomem has"),
                                    HasSubstr("exit 0")));
    EXPECT_THAT(said("user"),
                AllOf(HasSubstr("kcore: cannot be opened: Permission denied: this process is not "
                                "root (it lacks CAP_SYS_RAWIO) (/proc/kcore)"),
                      HasSubstr("What would help: run it as root\r\n"), HasSubstr("exit 1")));
    EXPECT_THAT(said("nested"), AllOf(HasSubstr("whose rights do not count here (/proc/kcore)"),
                                      HasSubstr("What would help: run it as root of the machine"),
                                      HasSubstr("exit 1")));
    EXPECT_EQ(manifest()["source"], "kcore");
    compare();
    // Written back into at its beginning: the hash is of what it is now.
    EXPECT_EQ(shell("sha256sum < " + file("disk")).text.substr(0, 64),
              manifest()["hashes"]["sha256"].get<std::string>());
    const auto verified = shell(program() + " verify " + file("disk") + " 2>&1");
    EXPECT_EQ(verified.status, 0) << verified.text;
    EXPECT_EQ(verified.text.find("incomplete"), std::string::npos) << verified.text;
    // makedumpfile filters and packs it anew, in each of its ways, and puts parts together.
    if (shell("command -v makedumpfile >/dev/null").status != 0) return;
    const std::string make = "cd '" + file("") + "' && makedumpfile ";
    for (const std::string options : {"-l", "--split -c"}) {
        const bool split = options.starts_with("--split");
        const auto made = shell(make + options + " disk made" +
                                (split ? " made.2 && makedumpfile --reassemble "
                                         "made made.2 whole"
                                       : "") +
                                " 2>&1");
        ASSERT_EQ(made.status, 0) << options << made.text;
        EXPECT_TRUE(sameMemory(file("disk"), file(split ? "whole" : "made"))) << options;
        std::filesystem::remove(file("made"));
    }
}

/// One boot for all: lockdown for confidentiality, which nobody can read memory under, and what is
/// said with fewer rights than root's.
TEST_F(RamInside, EachSourceSaysWhatClosesItUnderLockdownOrWithoutRights) {
    // Root without one capability, as in a container.
    std::ofstream(file("without.c")) << R"(#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int count, char** words) {
    if (count < 2 || prctl(PR_CAPBSET_DROP, CAP_SYS_RAWIO, 0, 0, 0) != 0) return 9;
    return execv(words[1], words + 1);
}
)";
    const auto built = shell("cd '" + file("") + "' && cc -static -o without_rawio without.c 2>&1");
    ASSERT_EQ(built.status, 0) << built.text;
    const std::string container =
        "unshare -m sh -c 'mount --bind /dev/null /proc/kcore; mount -t tmpfs t /dev; mount -t "
        "tmpfs t /sys; without_rawio /bin/icecore ram --plan'";
    boot(older,
         makeUser + scriptCase("booted", plan) + mountSecurityfs + scriptCase("told", plan) +
             scriptCase("take", "icecore ram -o /tmp/x.lime --force; ls /tmp") +
             scriptCase("crash", "icecore ram --plan --source crash") +
             scriptCase("user", planOfUser) + scriptCase("nested", planInNamespace) +
             scriptCase("rootless", "su user -c 'unshare -r icecore ram --plan'") +
             scriptCase("rights", "without_rawio /bin/icecore ram --plan") +
             scriptCase("container", container),
         {file("without_rawio")}, {"-m", "256", "-smp", "2"}, "lockdown=confidentiality");
    if (IsSkipped() || HasFatalFailure()) return;
    EXPECT_THAT(guest_->console(), HasSubstr("none integrity [confidentiality]"));
    const std::string unlock = "What would help: boot without lockdown", status = "exit 1";
    // By its command line as long as it does not tell.
    const auto closed = [](const std::string& why) {
        return AllOf(HasSubstr("kcore: cannot be opened: " + why + " (/proc/kcore)"),
                     HasSubstr("mem: cannot be opened: " + why + " (/dev/mem)"),
                     HasSubstr("crash: is not there: the driver of Red Hat's crash is not loaded"));
    };
    EXPECT_THAT(said("booted"), AllOf(closed("Operation not permitted: the kernel was booted with "
                                             "lockdown=confidentiality"),
                                      HasSubstr(unlock), HasSubstr(status)));
    const std::string told = "the kernel is locked down for confidentiality";
    for (const std::string name : {"told", "take"})
        EXPECT_THAT(said(name), AllOf(closed("Operation not permitted: " + told), HasSubstr(unlock),
                                      HasSubstr("outside the machine (qmp:SOCKET)")));
    EXPECT_THAT(said("told"), HasSubstr(status));
    EXPECT_THAT(said("take"), Not(HasSubstr("\nx.lime")));
    EXPECT_THAT(said("crash"), AllOf(HasSubstr("icecore: crash: is not there"), HasSubstr(unlock)));
    EXPECT_THAT(said("user"), AllOf(closed("Permission denied: this process is not root (it lacks "
                                           "CAP_SYS_RAWIO), and " +
                                           told),
                                    HasSubstr(unlock), HasSubstr(status)));
    const std::string nested =
        ": this process is in a user namespace, whose rights do not count here, and " + told;
    for (const auto& [name, error] :
         {std::pair{"nested", "Operation not permitted"}, {"rootless", "Permission denied"}})
        EXPECT_THAT(said(name),
                    AllOf(closed(error + nested), HasSubstr(unlock), HasSubstr(status)));
    EXPECT_THAT(said("rights"), AllOf(closed("Operation not permitted: this process lacks "
                                             "CAP_SYS_RAWIO, and " +
                                             told),
                                      HasSubstr(unlock), HasSubstr(status)));
    // Without /sys it does not know of the lockdown but from the command line.
    EXPECT_THAT(said("container"),
                AllOf(HasSubstr("kcore: is hidden: something else is mounted over it"),
                      HasSubstr("mem: is not there: "), HasSubstr(unlock),
                      HasSubstr("run it on the host or in a container with --privileged"),
                      HasSubstr(status)));
}

/// Out of the guest to a server that proves to be the one that is meant.
TEST_F(RamInside, ByTlsOverItsNetwork) {
    if (shell("command -v openssl >/dev/null").status != 0) GTEST_SKIP() << "openssl is missing";
    // QEMU's own network: the host is 10.0.2.2.
    const auto made = shell("cd '" + file("") + R"(' && {
new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test"
openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 &&
openssl req $new -keyout host.key -out request &&
echo subjectAltName=IP:10.0.2.2 > extensions &&
openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
    -extfile extensions -out host.pem; } 2>&1)");
    ASSERT_EQ(made.status, 0) << made.text;
    std::ofstream(file("listen.py")) << R"(import os, socket, ssl
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(2); s.settimeout(300)
open("port.new", "w").write(str(s.getsockname()[1]))
os.rename("port.new", "port")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("host.pem", "host.key")
while True:
    try:
        c = context.wrap_socket(s.accept()[0], server_side=True, suppress_ragged_eofs=False)
        break
    except ssl.SSLError: pass  # who does not trust us goes away
f = open("disk", "wb")
while True:
    d = c.recv(65536)
    if not d: break
    f.write(d)
f.close()
open("whole", "w").close()
)";
    const auto began = shell("cd '" + file("") +
                             "'; python3 listen.py >/dev/null 2>&1 & echo $! > pid; until [ -s '" +
                             file("port") + "' ]; do sleep 0.05; done");
    ASSERT_EQ(began.status, 0);
    const std::string to = " -o tls://10.0.2.2:" + readText(file("port"));
    run(older,
        "ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0\n"
        "icecore ram --format lime" +
            to + "; echo untrusted $?\n" + "icecore ram --format lime --cacert /bin/ca.pem" + to +
            "; echo status $?\n",
        {file("ca.pem")},
        {"-m", "256", "-smp", "2", "-netdev", "user,id=n,restrict=off", "-device",
         "virtio-net-pci,netdev=n"},
        "");
    if (IsSkipped() || HasFatalFailure()) return;
    EXPECT_NE(guest_->console().find("untrusted 1"), std::string::npos) << guest_->console();
    EXPECT_NE(guest_->console().find("not trusted"), std::string::npos) << guest_->console();
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(file("whole")); }));
    // What goes through a network card goes through memory, and the guest is small.
    compare(0.97);
    // What it says it sent is what arrived.
    EXPECT_NE(guest_->console().find(shell("sha256sum < " + file("disk")).text.substr(0, 64)),
              std::string::npos)
        << guest_->console();
}

TEST_F(RamInside, ANewerKernelWithMemoryAboveFourGigabytesAndFiveLevelsOfPages) {
    take(
        newer, "aff4", "--no-hash",
        {"-m", "1024", "-smp", "2", "-machine", "pc,max-ram-below-4g=256M", "-cpu", "max,la57=on"});
    if (IsSkipped() || HasFatalFailure()) return;
    const auto taken = openDump(file("disk"));
    ASSERT_TRUE(taken);
    const auto ranges = image::storedRanges(*taken->machine->physical);
    ASSERT_FALSE(ranges.empty());
    EXPECT_EQ(ranges.back().end(), (std::uint64_t{4} << 30) + (std::uint64_t{768} << 20));
    compare();
    const std::string info = manifest()["vmcoreinfo"].get<std::string>();
    EXPECT_NE(info.find("OSRELEASE=6.12."), std::string::npos) << info;
    EXPECT_NE(info.find("NUMBER(pgtable_l5_enabled)=1"), std::string::npos) << info;
    // Found without any CPU's registers, which nobody inside can have.
    const auto tables = image::translationOf(*taken->machine);
    ASSERT_TRUE(tables);
    EXPECT_EQ(tables->levels, 5U);
    std::array<std::byte, 4096> root{};
    EXPECT_EQ(taken->machine->physical->read(tables->root, root).bytes, root.size());
    // Its last entry is of the kernel's own half: there, and a table.
    EXPECT_EQ(std::to_integer<int>(root[4096 - 8]) & 1, 1);
}

}  // namespace
}  // namespace icecore::tests
