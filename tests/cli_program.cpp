// The program as a whole: verbs, help, exit statuses, errors in one line.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "base/text.h"
#include "base/version.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/terminal.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

/// Standard output, standard error and the status.
struct Outcome {
    std::string out, error;
    int status = -1;
};
Outcome run(const Scratch& scratch, const std::string& arguments) {
    const std::string errors = scratch.file("stderr");
    const ShellOutput output =
        shell("cd '" + scratch.file("") + "' && " + program() + " " + arguments + " 2>" + errors);
    return {output.text, readText(errors), output.status};
}
std::size_t lines(const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TEST(Program, HelpsAndTellsItsVersion) {
    const Scratch scratch;
    EXPECT_EQ(run(scratch, "--version").out, "icecore " + std::string(versionText) + "\n");
    const Outcome help = run(scratch, "help");
    EXPECT_EQ(help.status, 0);
    for (const std::string verb : {"dump", "info", "describe", "build", "analyze", "open"}) {
        EXPECT_NE(help.out.find("  " + verb + " "), std::string::npos) << verb;
        const Outcome one = run(scratch, "help " + verb);
        EXPECT_EQ(one.status, 0);
        EXPECT_EQ(one.out, run(scratch, verb + " --help").out);
        EXPECT_NE(one.out.find("icecore " + verb), std::string::npos);
    }
}

TEST(Program, WrongUsageIsStatusTwoAndOneLine) {
    const Scratch scratch;
    for (const std::string arguments :
         {"inof x", "help nothing", "info", "info a b", "dump", "dump 1 --type nonsense",
          "dump 1 --format none", "dump 1 --snapshot maybe", "dump 1 --compress rar",
          "dump 1 2 -o one.core", "dump 1 --json -o -"}) {
        const Outcome wrong = run(scratch, arguments);
        EXPECT_EQ(wrong.status, 2) << arguments;
        EXPECT_EQ(wrong.out, "") << arguments;
        EXPECT_EQ(lines(wrong.error), 1U) << arguments << ": " << wrong.error;
        EXPECT_TRUE(wrong.error.starts_with("icecore: ")) << wrong.error;
    }
    EXPECT_NE(run(scratch, "inof x").error.find("did you mean `info`?"), std::string::npos);
    EXPECT_EQ(run(scratch, "").status, 2);
}

TEST(Program, FilesThatAreNoDumps) {
    const Scratch scratch;
    std::ofstream(scratch.file("empty")) << "";
    std::ofstream(scratch.file("text")) << "hello\n";
    std::ofstream(scratch.file("gz")) << "\x1f\x8b\x08 and more of it";
    const std::pair<std::string, std::string> cases[] = {
        {"missing", "No such file"}, {"empty", "empty"},
        {"text", "a text file"},     {"gz", "gzip"},
        {".", "is a directory"},     {program(), "an ELF program"}};
    for (const auto& [file, reason] : cases) {
        for (const std::string verb :
             {"info ", "describe ", "analyze ", "symbols list ", "open -c r "}) {
            const Outcome bad = run(scratch, verb + file);
            EXPECT_EQ(bad.status, 1) << verb << file;
            EXPECT_EQ(bad.out, "") << file;
            EXPECT_EQ(lines(bad.error), 1U) << bad.error;
            EXPECT_NE(bad.error.find(reason), std::string::npos) << bad.error;
        }
    }
}

TEST(Program, NoPermissionIsSaidSo) {
    if (::geteuid() != 0 || shell("setpriv --version").status != 0) GTEST_SKIP() << "needs root";
    const Scratch scratch;
    std::ofstream(scratch.file("secret")) << "x";
    std::filesystem::permissions(scratch.file("secret"), std::filesystem::perms::owner_read);
    std::filesystem::permissions(scratch.file(""), std::filesystem::perms::all);
    const std::string asNobody =
        "cd / && setpriv --reuid 65534 --regid 65534 --clear-groups " + program() + " ";
    if (shell(asNobody + "--version 2>&1").status != 0)
        GTEST_SKIP() << "the program is not within another user's reach";
    for (const std::string verb :
         {"info ", "describe ", "analyze ", "symbols list ", "open -c r ", "build -o /x "}) {
        const ShellOutput output = shell(asNobody + verb + scratch.file("secret") + " 2>&1");
        EXPECT_EQ(output.status, 1) << verb;
        EXPECT_EQ(lines(output.text), 1U) << output.text;
        EXPECT_NE(output.text.find("Permission denied"), std::string::npos) << output.text;
    }
    // A place that cannot be written to is told before anything is dumped.
    const ShellOutput output = shell(asNobody + "dump $$ -o /nowhere.core 2>&1");
    EXPECT_EQ(output.status, 1);
    EXPECT_EQ(lines(output.text), 1U) << output.text;
    EXPECT_FALSE(std::filesystem::exists("/nowhere.core"));
}

class DumpProgram : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(victim_.until("ready")); }
    std::string pid() const { return std::to_string(victim_.pid()); }
    Scratch scratch_;
    Victim victim_{"dump_types", {scratch_.file("mapped")}};
};

TEST_F(DumpProgram, SaysWhatItDid) {
    const Outcome dumped = run(scratch_, "dump " + pid() + " -o a.core --json");
    ASSERT_EQ(dumped.status, 0) << dumped.error;
    const auto json = nlohmann::json::parse(dumped.out);
    EXPECT_EQ(json["path"], "a.core");
    EXPECT_EQ(json["format"], "core");
    EXPECT_EQ(json["bytes"], std::filesystem::file_size(scratch_.file("a.core")));
    EXPECT_GT(json["pause_ms"], 0);
    EXPECT_GE(json["threads"], 1);
    EXPECT_TRUE(json["unread"].empty());
    const Outcome info = run(scratch_, "info a.core --json");
    EXPECT_EQ(info.status, 0);
    const auto about = nlohmann::json::parse(info.out);
    EXPECT_EQ(about["process"]["pid"], victim_.pid());
    EXPECT_EQ(about["process"]["threads"], json["threads"]);
    EXPECT_EQ(about["process"]["name"], "dump_types");
    // By name, over the same file: no; as a compressed minidump into a directory: yes.
    EXPECT_EQ(run(scratch_, "dump dump_types -o a.core").status, 1);
    std::filesystem::create_directory(scratch_.file("d"));
    const Outcome second =
        run(scratch_, "dump " + pid() + " --format minidump --compress zstd -o d/");
    EXPECT_EQ(second.status, 0) << second.error;
    EXPECT_EQ(lines(second.out), 1U);
    const auto made = std::filesystem::directory_iterator(scratch_.file("d"))->path();
    EXPECT_TRUE(made.filename().string().starts_with("dump_types_")) << made;
    EXPECT_TRUE(made.string().ends_with(".dmp.zst")) << made;
    EXPECT_EQ(run(scratch_, "info " + made.string()).status, 0);
}

TEST_F(DumpProgram, NamesAndStandardOutput) {
    EXPECT_EQ(run(scratch_, "dump " + pid() + " -o '%e.%p.core'").status, 0);
    EXPECT_TRUE(std::filesystem::exists(scratch_.file("dump_types." + pid() + ".core")));
    (void)run(scratch_, "dump " + pid() + " -o - 2>said | cat > piped");
    EXPECT_EQ(run(scratch_, "info piped").status, 0);
    EXPECT_NE(readText(scratch_.file("said")).find("stood still for"), std::string::npos);
    // A reader that goes away is an error, not a death by SIGPIPE.
    (void)run(scratch_, "dump " + pid() + " -o - --type full 2>said | head -c 1 >first");
    EXPECT_NE(readText(scratch_.file("said")).find("Broken pipe"), std::string::npos);
    EXPECT_TRUE(victim_.alive());
}

TEST_F(DumpProgram, DescribesAndBuildsAgain) {
    ASSERT_EQ(run(scratch_, "dump " + pid() + " -o a.core --type mini").status, 0);
    ASSERT_EQ(run(scratch_, "describe a.core > a.txt").status, 0);
    const Outcome built = run(scratch_, "build a.txt -o b.core");
    ASSERT_EQ(built.status, 0) << built.error;
    EXPECT_TRUE(readText(scratch_.file("a.core")) == readText(scratch_.file("b.core")));
}

TEST_F(DumpProgram, EveryVerbReadsACompressedDump) {
    for (const std::string plain : {"core", "minidump"}) {
        const std::string packed = plain + ".zst";
        ASSERT_EQ(run(scratch_, fmt::format("dump {} --compress zstd --format {} -o {}", pid(),
                                            plain, packed))
                      .status,
                  0);
        ASSERT_EQ(shell("zstd -qd " + scratch_.file(packed) + " -o " + scratch_.file(plain)).status,
                  0);
        for (const std::string verb : {"info --json ", "describe ", "analyze ", "symbols list ",
                                       "open -c '~*k; lm; !address' "}) {
            Outcome one = run(scratch_, verb + plain);
            Outcome other = run(scratch_, verb + packed);
            EXPECT_EQ(one.status, 0) << verb << one.error;
            EXPECT_EQ(other.status, one.status) << verb << other.error;
            // The same but for the name of the file, and its size.
            for (std::string* text : {&one.out, &other.out}) {
                *text = std::regex_replace(*text, std::regex("\\.zst"), "");
                *text = std::regex_replace(*text, std::regex("\"bytes\": ?[0-9]+"), "");
            }
            EXPECT_GT(one.out.size(), 100U) << verb;
            EXPECT_TRUE(one.out == other.out) << verb << "\n" << one.out << "\n" << other.out;
        }
    }
}

TEST_F(DumpProgram, ShowsHowFarItIs) {
    // A reader that begins late makes the work long, whatever the machine.
    const std::string dump = program() + " dump " + pid() + " --type full -o - ";
    const std::string slowly = " | (sleep 3; cat >/dev/null)";
    Terminal terminal({"/bin/sh", "-c", dump + slowly});
    EXPECT_TRUE(terminal.shows("\r\x1b[Kwriting memory ["));
    EXPECT_TRUE(terminal.shows(" % of "));
    EXPECT_EQ(terminal.wait(), 0);
    // The bar is wiped away at the end, and the closing line stands by itself.
    const std::size_t wiped = terminal.seen().rfind("\r\x1b[K");
    ASSERT_NE(wiped, std::string::npos);
    EXPECT_NE(terminal.seen().find("stood still for", wiped), std::string::npos) << terminal.seen();
    EXPECT_EQ(terminal.seen().find('#', wiped), std::string::npos) << terminal.seen();

    // Without a terminal nothing is drawn unless asked for, and then as whole lines.
    (void)run(scratch_, dump.substr(program().size()) + "2>quiet" + slowly);
    EXPECT_EQ(lines(readText(scratch_.file("quiet"))), 1U) << readText(scratch_.file("quiet"));
    (void)run(scratch_, dump.substr(program().size()) + "--progress=plain 2>plain" + slowly);
    const std::string plain = readText(scratch_.file("plain"));
    EXPECT_GE(lines(plain), 2U) << plain;
    EXPECT_TRUE(plain.starts_with("icecore: writing memory: ")) << plain;
    EXPECT_EQ(plain.find('\r'), std::string::npos);
    EXPECT_EQ(plain.find('\x1b'), std::string::npos);
}

TEST_F(DumpProgram, SeveralOfOneNameAreListed) {
    Victim second("dump_types", {scratch_.file("mapped too")});
    ASSERT_TRUE(second.until("ready"));
    const Outcome both = run(scratch_, "dump dump_types");
    EXPECT_EQ(both.status, 1);
    EXPECT_NE(both.error.find(pid()), std::string::npos);
    EXPECT_NE(both.error.find(std::to_string(second.pid())), std::string::npos);
}

TEST(DumpProgramErrors, NoSuchTarget) {
    const Scratch scratch;
    const Outcome none = run(scratch, "dump no-such-process-name");
    EXPECT_EQ(none.status, 1);
    EXPECT_EQ(lines(none.error), 1U);
    const Outcome gone = run(scratch, "dump 4194303 -o x.core");
    EXPECT_EQ(gone.status, 1);
    EXPECT_EQ(lines(gone.error), 1U);
    EXPECT_FALSE(std::filesystem::exists(scratch.file("x.core")));
}

}  // namespace
}  // namespace icecore::tests
