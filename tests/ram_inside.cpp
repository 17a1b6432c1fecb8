// The static program inside real kernels: it takes their memory through /proc/kcore and writes it
// to a disk, and nearly every page is what QEMU has when the guest stands still afterwards.
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

    /// Boots a guest that runs `script` and has `files` beside the program; then it stands still
    /// and its memory is saved from outside.
    void run(const char* kernel, const std::string& script, std::vector<std::string> files,
             const std::vector<std::string>& arguments, const std::string& commandLine) {
        if (!haveStaticProgram()) GTEST_SKIP() << "`make static` has not been run";
        std::ofstream(file("autorun")) << script;
        files.push_back(staticProgram());
        files.push_back(file("autorun"));
        const GuestFiles made = guestFiles(files, file("guest"), kernel);
        if (!made.problem.empty()) GTEST_SKIP() << made.problem;
        guest_ = std::make_unique<Guest>(made, arguments, commandLine);
        ASSERT_TRUE(guest_->ready()) << guest_->console();
        ASSERT_NE(guest_->console().find("status 0"), std::string::npos) << guest_->console();
        ASSERT_TRUE(guest_->command(R"({"execute":"stop"})").starts_with("{\"return\""));
        ASSERT_TRUE(guest_
                        ->command(R"({"execute":"dump-guest-memory","arguments":{"paging":false,)"
                                  R"("protocol":"file:)" +
                                  file("q.elf") + "\"}}")
                        .starts_with("{\"return\""));
    }

    /// Has it take its own memory in `format` to its disk, with QEMU's arguments besides.
    void take(const char* kernel, const std::string& format, const std::string& options,
              const std::vector<std::string>& arguments) {
        const std::string script =
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
        run(kernel, script, {}, all, "guest.disk");
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

TEST_F(RamInside, AKdumpOnADiskIsWholeAndHardlyMore) {
    take(older, "kdump", "", {"-m", "512", "-smp", "2"});
    if (IsSkipped() || HasFatalFailure()) return;
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
