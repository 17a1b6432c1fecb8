// `icecore ram` as a program, from files that stand for a machine's memory: formats, manifest,
// interruptions, refusals. From real kernels: ram_guest.cpp and ram_inside.cpp.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "support/image_compare.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

using nlohmann::json;

class RamTake : public testing::Test {
protected:
    /// Pages of noise and of zeros in turn, some MiB of each now and then.
    void SetUp() override {
        std::mt19937_64 random(7);
        std::string bytes(size_, '\0');
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            if ((at >> 20) % 3 == 1 || (at >> 12) % 4 == 2) continue;
            const std::uint64_t value = (at >> 12) % 2 != 0 ? random() : at;
            std::memcpy(bytes.data() + at, &value, sizeof value);
        }
        std::ofstream(memory(), std::ios::binary) << bytes;
    }
    std::string file(const std::string& name) { return scratch_.file(name); }
    std::string memory() { return file("memory.raw"); }
    ShellOutput ram(const std::string& arguments) {
        return shell("cd '" + scratch_.file("") + "'; { " + program() + " ram " + arguments +
                     "; } 2>&1");
    }
    json manifest(const std::string& image) {
        return json::parse(readText(file(image + ".json")), nullptr, false);
    }

    static constexpr std::size_t size_ = std::size_t{12} << 20;
    Scratch scratch_;
};

TEST_F(RamTake, EveryFormatHoldsItAndItsManifestSaysWhatItIs) {
    for (const std::string name : {"a.raw", "a.lime", "a.avml", "a.elf", "a.kdump", "a.aff4"}) {
        const auto taken = ram("--source memory.raw -o " + name);
        ASSERT_EQ(taken.status, 0) << name << taken.text;
        EXPECT_TRUE(sameMemory(file(name), memory())) << name;
        EXPECT_TRUE(sameMemory(memory(), file(name))) << name;
        const json said = manifest(name);
        ASSERT_TRUE(said.is_object()) << name;
        EXPECT_EQ(said["schema"], "icecore.ram/1");
        EXPECT_EQ(said["memory_bytes"], size_);
        EXPECT_EQ(said["bytes"], std::filesystem::file_size(file(name))) << name;
        EXPECT_EQ(said["ranges"], json::parse(R"([{"begin":"0x0","end":"0xc00000"}])"));
        EXPECT_EQ(said["unread"], json::array());
        EXPECT_EQ(said["hashes"].size(), 2U);
        for (const auto& [hash, tool] : {std::pair{"sha256", "sha256sum "}, {"blake3", "b3sum "}}) {
            const auto [theirs, status] = shell(tool + file(name) + " 2>/dev/null");
            if (status == 127) continue;  // not every system has b3sum
            EXPECT_EQ(said["hashes"][hash].get<std::string>(), theirs.substr(0, theirs.find(' ')))
                << name;
        }
        EXPECT_EQ(shell(program() + " verify " + file(name) + " 2>&1").status, 0) << name;
        EXPECT_FALSE(std::filesystem::exists(file(name + ".part")));
        EXPECT_FALSE(std::filesystem::exists(file(name + ".part.json")));
    }
}

TEST_F(RamTake, AnAff4ImageCanDoWithoutHashesOfItsBlocks) {
    ASSERT_EQ(ram("--source memory.raw -o with.aff4").status, 0);
    ASSERT_EQ(ram("--source memory.raw -o bare.aff4 --no-block-hashes").status, 0);
    EXPECT_EQ(manifest("bare.aff4")["hashes"].size(), 2U);
    EXPECT_TRUE(sameMemory(file("bare.aff4"), memory()));
    const std::string verified = shell(program() + " verify " + file("bare.aff4") + " 2>&1").text;
    EXPECT_NE(verified.find("they have no hashes"), std::string::npos) << verified;
    EXPECT_LT(std::filesystem::file_size(file("bare.aff4")),
              std::filesystem::file_size(file("with.aff4")));
    const auto refused = ram("--source memory.raw -o a.lime --no-block-hashes");
    EXPECT_EQ(refused.status, 2);
    EXPECT_NE(refused.text.find("--no-block-hashes: lime has none"), std::string::npos)
        << refused.text;
    const ShellOutput converted = shell(program() + " convert " + file("with.aff4") + " " +
                                        file("less.aff4") + " --no-block-hashes 2>&1");
    EXPECT_EQ(converted.status, 0) << converted.text;
    EXPECT_TRUE(sameMemory(file("less.aff4"), memory()));
}

/// Manifests of before have BLAKE2b in place of BLAKE3.
TEST_F(RamTake, OlderManifestsAreHeldAgainstTheirImages) {
    ASSERT_EQ(ram("--source memory.raw -o a.raw").status, 0);
    json said = manifest("a.raw");
    const std::string hash = shell("b2sum " + file("a.raw")).text.substr(0, 128);
    said["hashes"].erase("blake3");
    for (const auto& [value, good] : {std::pair{hash, true}, {std::string(128, '0'), false}}) {
        said["hashes"]["blake2b"] = value;
        std::ofstream(file("a.raw.json")) << said;
        const auto verified = shell(program() + " verify --json " + file("a.raw"));
        EXPECT_EQ(verified.status, good ? 0 : 1) << verified.text;
        std::map<std::string, bool> checks;
        const json answer = json::parse(verified.text, nullptr, false);
        ASSERT_TRUE(answer.is_object()) << verified.text;
        for (const json& check : answer["checks"])
            checks[check["what"]] = check["good"];
        EXPECT_TRUE(checks.at("sha256"));
        EXPECT_EQ(checks.at("blake2b"), good);
        EXPECT_FALSE(checks.contains("blake3"));
    }
}

/// What sha256sum leaves beside a file, and LiME, whose digest is of what goes into its
/// compression.
TEST_F(RamTake, HashesOfOthersBesideAFileAreComparedWithIt) {
    ASSERT_EQ(ram("--source memory.raw -o a.lime").status, 0);
    ASSERT_EQ(shell("gzip -k " + file("a.lime")).status, 0);
    const auto verify = [&](const std::string& name) {
        return shell(program() + " verify " + file(name) + " 2>&1");
    };
    ASSERT_EQ(shell("sha256sum " + file("a.lime") + " > " + file("a.lime.sha256") + "; md5sum " +
                    file("a.lime.gz") + " > " + file("a.lime.gz.md5"))
                  .status,
              0);
    std::filesystem::copy_file(file("a.lime.sha256"), file("a.lime.gz.sha256"));
    for (const char* const name : {"a.lime", "a.lime.gz"}) {
        const auto good = verify(name);
        EXPECT_EQ(good.status, 0) << good.text;
        EXPECT_NE(good.text.find(".sha256    good"), std::string::npos) << good.text;
    }
    EXPECT_NE(verify("a.lime.gz").text.find(".md5       good"), std::string::npos);
    std::ofstream(file("a.lime.gz.md5")) << std::string(32, '0') << "  a.lime.gz\n";
    EXPECT_EQ(verify("a.lime.gz").status, 1);
    std::ofstream(file("a.lime.sha256")) << "no hash at all\n";
    const auto none = verify("a.lime");
    EXPECT_EQ(none.status, 1);
    EXPECT_NE(none.text.find("has no such hash"), std::string::npos) << none.text;
}

TEST_F(RamTake, HolesOfAFileAreAddressesWithoutMemory) {
    ASSERT_EQ(ram("--source memory.raw --hole 0x800000-0x100000000 -o split.lime").status, 0);
    const auto split = openDump(file("split.lime"));
    ASSERT_TRUE(split);
    EXPECT_EQ(image::storedRanges(*split->machine->physical),
              (std::vector{Range::between(0, 0x800000), Range::ofSize(0x100000000, 0x400000)}));
    const auto whole = openDump(memory());
    EXPECT_EQ(split->machine->physical->readInteger<std::uint64_t>(0x100000000 + 0x3008),
              whole->machine->physical->readInteger<std::uint64_t>(0x800000 + 0x3008));
}

TEST_F(RamTake, InterruptedItGoesOnWhereItWas) {
    for (const std::string name : {"b.raw", "b.lime", "b.avml", "b.elf", "b.kdump"}) {
        // As slow as it takes to be interrupted in the middle.
        const auto broken = ram(
            fmt::format("--source memory.raw --threads 1 --rate 4 -o {0} & pid=$!; until grep -q "
                        "position {0}.part.json 2>/dev/null; do sleep 0.02; done; sleep 1.5; "
                        "kill -TERM $pid; wait $pid",
                        name));
        ASSERT_EQ(broken.status, 1) << name << broken.text;
        EXPECT_NE(broken.text.find("--resume"), std::string::npos) << broken.text;
        EXPECT_FALSE(std::filesystem::exists(file(name)));
        const json journal = json::parse(readText(file(name + ".part.json")), nullptr, false);
        ASSERT_TRUE(journal.is_object());
        const auto position = journal["position"].get<std::uint64_t>();
        EXPECT_GT(position, 0U) << name;
        EXPECT_EQ(std::filesystem::file_size(file(name + ".part")), position);
        // Neither is it begun anew by mistake, nor mixed with another one.
        EXPECT_EQ(ram("--source memory.raw -o " + name).status, 1);
        EXPECT_EQ(ram("--source memory.raw --resume --format aff4 -o " + name).status, 1);

        const auto taken = ram("--source memory.raw --resume -o " + name);
        ASSERT_EQ(taken.status, 0) << name << taken.text;
        EXPECT_TRUE(sameMemory(file(name), memory())) << name;
        EXPECT_EQ(manifest(name)["interruptions"], 1);
        EXPECT_EQ(shell(program() + " verify " + file(name) + " 2>&1").status, 0) << name;
        EXPECT_EQ(manifest(name)["hashes"]["sha256"],
                  shell("sha256sum < " + file(name)).text.substr(0, 64));
        // Nobody can tell that it was interrupted; a kdump tells when it was begun.
        ASSERT_EQ(ram("--source memory.raw -o whole." + name).status, 0);
        EXPECT_EQ(std::filesystem::file_size(file(name)),
                  std::filesystem::file_size(file("whole." + name)));
        if (name != "b.kdump") {
            EXPECT_EQ(manifest(name)["hashes"], manifest("whole." + name)["hashes"]) << name;
        }
        EXPECT_FALSE(std::filesystem::exists(file(name + ".part.json")));
    }
}

TEST_F(RamTake, KilledBeforeAnythingIsCertainItBeginsAnew) {
    (void)ram(
        "--source memory.raw --rate 4 -o c.lime & pid=$!; until grep -q position "
        "c.lime.part.json 2>/dev/null; do sleep 0.02; done; kill -KILL $pid; wait $pid");
    ASSERT_TRUE(std::filesystem::exists(file("c.lime.part.json")));
    const auto taken = ram("--source memory.raw --resume -o c.lime");
    ASSERT_EQ(taken.status, 0) << taken.text;
    EXPECT_TRUE(sameMemory(file("c.lime"), memory()));
}

TEST_F(RamTake, OtherMemoryThanBeforeIsNoticed) {
    (void)ram(
        "--source memory.raw --rate 8 -o d.lime & pid=$!; until grep -q position "
        "d.lime.part.json 2>/dev/null; do sleep 0.02; done; sleep 0.5; kill -TERM $pid; "
        "wait $pid");
    std::filesystem::resize_file(memory(), size_ - 4096);
    const auto other = ram("--source memory.raw --resume -o d.lime");
    EXPECT_EQ(other.status, 1);
    EXPECT_NE(other.text.find("other addresses"), std::string::npos) << other.text;
    // And a beginning that is not what was written.
    std::filesystem::resize_file(memory(), size_);
    std::fstream part(file("d.lime.part"), std::ios::in | std::ios::out | std::ios::binary);
    part.seekp(8);
    part.put('\x70');  // the range's first address
    part.close();
    EXPECT_EQ(ram("--source memory.raw --resume -o d.lime").status, 1);
    EXPECT_FALSE(std::filesystem::exists(file("d.lime")));
}

TEST_F(RamTake, WhatCannotBeReadIsInTheManifestAndStaysAHole) {
    ASSERT_EQ(ram("--source memory.raw -o e.avml").status, 0);
    // A chunk whose checksum is wrong.
    std::fstream image(file("e.avml"), std::ios::in | std::ios::out | std::ios::binary);
    image.seekp(32 + 10 + 4);
    image.put('\x00').put('\x11').put('\x22').put('\x33');
    image.close();
    for (const std::string name : {"e.kdump", "e.elf", "e.aff4", "e.raw"}) {
        const auto taken = ram("--source e.avml -o " + name);
        EXPECT_EQ(taken.status, 3) << taken.text;
        EXPECT_NE(taken.text.find("unread"), std::string::npos) << taken.text;
        const json said = manifest(name);
        EXPECT_EQ(said["unread_bytes"], 65536) << name;
        EXPECT_EQ(said["unread"][0]["begin"], "0x0");
        EXPECT_FALSE(said["unread"][0]["why"].get<std::string>().empty());
    }
    for (const std::string name : {"e.kdump", "e.elf", "e.aff4"}) {
        const auto taken = openDump(file(name));
        ASSERT_TRUE(taken);
        std::byte one[1];
        EXPECT_EQ(taken->machine->physical->read(0x1000, one).bytes, 0U) << name;
        EXPECT_EQ(taken->machine->physical->read(0x10000, one).bytes, 1U) << name;
    }
}

TEST_F(RamTake, RefusesWhatCannotWork) {
    // Onto memory itself, where there is such a place.
    if (std::filesystem::is_directory("/dev/shm") &&
        shell("stat -f -c %T /dev/shm").text == "tmpfs\n") {
        const auto refused = ram("--source memory.raw -o /dev/shm/icecore-test-$$.raw");
        EXPECT_EQ(refused.status, 1);
        EXPECT_NE(refused.text.find("tmpfs"), std::string::npos) << refused.text;
        const auto forced =
            ram("--source memory.raw --force -o /dev/shm/icecore-test.raw; "
                "r=$?; rm -f /dev/shm/icecore-test.raw*; exit $r");
        EXPECT_EQ(forced.status, 0) << forced.text;
    }
    // More than any disk here has.
    std::ofstream(file("huge.raw")) << "";
    std::filesystem::resize_file(file("huge.raw"), std::uintmax_t{1} << 43);
    const auto large = ram("--source huge.raw -o huge.lime");
    EXPECT_EQ(large.status, 1);
    EXPECT_NE(large.text.find("too small"), std::string::npos) << large.text;
    EXPECT_FALSE(std::filesystem::exists(file("huge.lime.part")));
    // Existing files, folders, sockets of nobody, devices that are not there.
    EXPECT_EQ(ram("--source memory.raw -o memory.raw").status, 1);
    EXPECT_EQ(ram("--source memory.raw -o nowhere/x.raw").status, 1);
    EXPECT_EQ(ram("--source qmp:nothing -o x.raw").status, 1);
    EXPECT_EQ(ram("--source nothing -o x.raw").status, 1);
    const auto crash = ram("--source crash -o x.raw");
    if (!std::filesystem::exists("/dev/crash")) {
        EXPECT_EQ(crash.status, 1);
        EXPECT_NE(crash.text.find("crash: is not there: the driver"), std::string::npos)
            << crash.text;
    }
    for (const std::string wrong :
         {"", "-o x", "-o x.raw --format minidump", "-o x.raw --compress zstd", "-o x --format y",
          "-o x.raw --hole 5", "-o x.raw --rate -1", "-o - --format raw --json"})
        EXPECT_EQ(ram("--source memory.raw " + wrong).status, 2) << wrong;
}

TEST_F(RamTake, WinpmemsCommandLine) {
    const auto winpmem = [&](const std::string& arguments) {
        return shell("cd '" + scratch_.file("") + "' && " + program() + " winpmem " + arguments +
                     " 2>&1");
    };
    // Exports, which need no right to this machine's memory.
    ASSERT_EQ(ram("--source memory.raw -o w.aff4").status, 0);
    EXPECT_EQ(winpmem("-V w.aff4").status, 0);
    EXPECT_NE(winpmem("-l w.aff4").text.find("aff4"), std::string::npos);
    EXPECT_EQ(winpmem("-i w.aff4 -e Memory --format elf --volume_format raw -o w.elf").status, 0);
    EXPECT_TRUE(sameMemory(file("w.elf"), memory()));
    EXPECT_EQ(winpmem("-i w.elf -c lz4 -t -o w.aff4").status, 0);
    EXPECT_TRUE(sameMemory(file("w.aff4"), memory()));
    // As the seed writes it; of this machine's memory nothing is wanted here, so its output is
    // there already, which it finds out before it reads.
    std::ofstream(file("memdump.raw")) << "";
    const auto seed = winpmem("--output memdump.raw --format raw --volume_format raw");
    EXPECT_EQ(seed.status, 1) << seed.text;
    for (const std::string wrong :
         {"", "-o x --format map --volume_format raw", "-p pagefile.sys -o x", "-s five -o x",
          "-o x --format y", "-V", "-e x -o y"})
        EXPECT_EQ(winpmem(wrong).status, 2) << wrong;
    // And under its name.
    std::filesystem::create_symlink(program(), file("winpmem"));
    EXPECT_EQ(shell(file("winpmem") + " -V " + file("w.elf") + " >/dev/null 2>&1").status, 0);
}

TEST_F(RamTake, ThePlanReadsNothing) {
    const auto plan = ram("--source memory.raw --plan --json -o p.lime");
    ASSERT_EQ(plan.status, 0) << plan.text;
    const json said = json::parse(plan.text, nullptr, false);
    ASSERT_TRUE(said.is_object()) << plan.text;
    EXPECT_EQ(said["machine"]["memory_bytes"], size_);
    EXPECT_EQ(said["format"], "lime");
    EXPECT_GE(said["bytes_at_most"].get<std::uint64_t>(), size_);
    EXPECT_FALSE(std::filesystem::exists(file("p.lime")));
    const auto text = ram("--source memory.raw --plan");
    EXPECT_EQ(text.status, 0);
    EXPECT_NE(text.text.find("0x0-0xc00000"), std::string::npos) << text.text;
}

TEST_F(RamTake, GoesIntoPipes) {
    ASSERT_EQ(
        ram("--source memory.raw --format lime -o - --manifest n.json 2>err >piped.lime").status, 0)
        << readText(file("err"));
    EXPECT_TRUE(sameMemory(file("piped.lime"), memory()));
    EXPECT_EQ(json::parse(readText(file("n.json")))["memory_bytes"], size_);
    // A kdump flattened, as nobody can go back in a pipe; named ones are pipes, too.
    for (const std::string format : {"kdump", "aff4", "avml", "elf"}) {
        const std::string options = "--source memory.raw --format " + format;
        const auto piped =
            ram(fmt::format("{0} -o - 2>err | cat >piped.{1} && rm -f named && mkfifo named && "
                            "{{ timeout 60 cat named >named.{1} & {2} ram {0} -o named 2>>err; "
                            "s=$?; wait; exit $s; }}",
                            options, format, program()));
        ASSERT_EQ(piped.status, 0) << format << readText(file("err"));
        EXPECT_TRUE(sameMemory(file("piped." + format), memory())) << format;
        EXPECT_TRUE(sameMemory(file("named." + format), memory())) << format;
    }
    EXPECT_EQ(readText(file("piped.kdump")).substr(0, 12), "makedumpfile");
}

/// A listener of Python's that writes its port down and keeps what it is sent, until the other side
/// ends the connection as it should.
class RamSent : public RamTake {
protected:
    void SetUp() override {
        RamTake::SetUp();
        std::ofstream(file("listen.py")) << R"(import os, socket, ssl, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1); s.settimeout(60)
open("port.new", "w").write(str(s.getsockname()[1]))
os.rename("port.new", "port")
c = s.accept()[0]
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1] + ".pem", sys.argv[1] + ".key")
    if len(sys.argv) > 2: context.maximum_version = ssl.TLSVersion[sys.argv[2]]
    c = context.wrap_socket(c, server_side=True, suppress_ragged_eofs=False)
f = open("received", "wb")
while True:
    d = c.recv(65536)
    if not d: break
    f.write(d)
f.close()
open("whole", "w").close()
)";
    }
    /// Sends to `url`, whose port is PORT, while the listener has `arguments`.
    ShellOutput send(const std::string& url, const std::string& options,
                     const std::string& arguments = "") {
        return shell("cd '" + scratch_.file("") +
                     "'; rm -f port received whole; { python3 listen.py " + arguments +
                     " & until [ -s port ]; do sleep 0.02; done; " + program() +
                     " ram --source memory.raw " + options + " -o " + url +
                     ":$(cat port); s=$?; wait; exit $s; } 2>&1");
    }
    bool whole() { return std::filesystem::exists(file("whole")); }
};

TEST_F(RamSent, ByTcp) {
    const auto sent = send("tcp://127.0.0.1", "--format kdump");
    ASSERT_EQ(sent.status, 0) << sent.text;
    EXPECT_TRUE(whole());
    EXPECT_TRUE(sameMemory(file("received"), memory()));
    EXPECT_EQ(ram("--source memory.raw --format raw -o tcp://127.0.0.1:1").status, 1);
    for (const std::string wrong : {"tcp://", "tcp://host", "tcp://:5", "tls://host:", "tls://"})
        EXPECT_EQ(ram("--source memory.raw --format raw -o " + wrong).status, 1) << wrong;
}

TEST_F(RamSent, ByTlsToWhoProvesToBeMeant) {
    if (shell("command -v openssl >/dev/null").status != 0) GTEST_SKIP() << "openssl is missing";
    // An authority of our own; certificates of it for an address and for a name; one of nobody.
    const auto made = shell("cd '" + scratch_.file("") + R"(' && {
new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test"
openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 &&
openssl req -x509 $new -keyout nobody.key -out nobody.pem -days 2 \
    -addext subjectAltName=IP:127.0.0.1 &&
for one in address=IP:127.0.0.1 name=DNS:localhost other=DNS:elsewhere.invalid; do
    openssl req $new -keyout ${one%%=*}.key -out request &&
    echo subjectAltName=${one#*=} > extensions &&
    openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile extensions -out ${one%%=*}.pem || exit 1
done; } 2>&1)");
    ASSERT_EQ(made.status, 0) << made.text;

    for (const auto& [host, server] : {std::pair{"127.0.0.1", "address"},
                                       {"127.0.0.1", "address TLSv1_2"},
                                       {"localhost", "name"}}) {
        const auto sent =
            send(std::string("tls://") + host, "--format avml --cacert ca.pem", server);
        ASSERT_EQ(sent.status, 0) << server << sent.text;
        EXPECT_TRUE(whole()) << server;
        EXPECT_TRUE(sameMemory(file("received"), memory())) << server;
    }
    // What is hashed is what goes in, not what TLS makes of it.
    EXPECT_NE(send("tls://127.0.0.1", "--format lime --cacert ca.pem", "address")
                  .text.find(shell("sha256sum < " + file("received")).text.substr(0, 64)),
              std::string::npos);

    // Whoever is not trusted, is somebody else, or speaks something older gets nothing.
    for (const auto& [options, server, why] :
         {std::tuple{"", "address", "not trusted"},
          {"--cacert ca.pem", "nobody", "not trusted"},
          {"--cacert ca.pem", "other", "IP address mismatch"},
          {"--cacert ca.pem", "address TLSv1_1", "no TLS connection"}}) {
        const auto refused =
            send("tls://127.0.0.1", std::string("--format raw ") + options, server);
        EXPECT_EQ(refused.status, 1) << server << refused.text;
        EXPECT_NE(refused.text.find(why), std::string::npos) << server << refused.text;
        EXPECT_FALSE(whole()) << server;
    }
    const auto none =
        ram("--source memory.raw --format raw --cacert listen.py -o tls://127.0.0.1:1");
    EXPECT_EQ(none.status, 1);
    EXPECT_NE(none.text.find("has no certificates to trust"), std::string::npos) << none.text;
}

}  // namespace
}  // namespace icecore::tests
