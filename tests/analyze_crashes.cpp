// Real crashes: every victim is run twice under gdb, which takes a core at the fatal signal, and
// `icecore analyze --json` must name what happened, where, and give both runs the same bucket.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/paths.h"
#include "support/scratch.h"

namespace icecore {
namespace {

using Json = nlohmann::json;

using tests::Scratch;
using tests::shell;
using Output = tests::ShellOutput;

/// Two cores of two runs, at different addresses; the first line of what gdb said when it failed.
bool takeCores(const std::string& victim, const std::string& argument, const std::string& first,
               const std::string& second) {
    const Output output = shell(
        "timeout 120 gdb -batch -nx -iex 'set debuginfod enabled off' -iex 'set auto-load off' "
        "-ex 'set confirm off' -ex 'set startup-with-shell off' "
        "-ex 'set disable-randomization off' "
        "-ex run -ex 'generate-core-file " +
        first +
        "' -ex kill "
        "-ex run -ex 'generate-core-file " +
        second + "' -ex kill --args " + tests::target(victim) + " " + argument +
        " 2>&1 </dev/null");
    const bool both = std::filesystem::exists(first) && std::filesystem::exists(second);
    EXPECT_TRUE(both) << output.text;
    return both;
}

Json analyze(const std::string& core, const std::string& options = "") {
    const Output output =
        shell(tests::program() + " analyze --json " + options + " " + core + " 2>&1");
    EXPECT_TRUE(output.status == 0 || output.status == 3) << output.text;
    Json json = Json::parse(output.text, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << output.text;
    return json;
}

const Json* crashedThread(const Json& analysis) {
    for (const Json& thread : analysis["threads"]) {
        if (thread["crashed"] == true) return &thread;
    }
    return nullptr;
}

struct Crash {
    std::string argument;
    std::string bucket;
    std::string signal, code;
    std::string access;        ///< empty: not given
    std::string faultAddress;  ///< empty: anything
    std::string inSummary;     ///< a piece of it
    std::string inFinding;     ///< a piece of some claim
};

std::string testName(const testing::TestParamInfo<Crash>& each) {
    std::string name = each.param.argument;
    std::ranges::replace(name, '-', '_');
    return name;
}

void PrintTo(const Crash& crash, std::ostream* out) {
    *out << crash.argument;
}

class AnalyzeCrash : public testing::TestWithParam<Crash> {};

TEST_P(AnalyzeCrash, IsNamedAndBucketedTheSameInEveryRun) {
    const Crash& crash = GetParam();
    const Scratch scratch;
    ASSERT_TRUE(takeCores("analyze_faults", crash.argument, scratch.file("1"), scratch.file("2")));
    const Json first = analyze(scratch.file("1"));
    const Json second = analyze(scratch.file("2"));
    ASSERT_TRUE(first.is_object() && second.is_object());
    EXPECT_EQ(first["schema"], "icecore.analysis/1");
    const Json& verdict = first["verdict"];
    SCOPED_TRACE(first["verdict"].dump(2) + first["findings"].dump(2));
    EXPECT_EQ(verdict["bucket"], crash.bucket);
    EXPECT_EQ(second["verdict"]["bucket"], crash.bucket);
    const Json& exception = first["exception"];
    EXPECT_EQ(exception["name"], crash.signal);
    EXPECT_EQ(exception["signal_code"], crash.code);
    EXPECT_EQ(exception.value("access", ""), crash.access);
    if (!crash.faultAddress.empty()) {
        EXPECT_EQ(exception["fault_address"], crash.faultAddress);
    }
    EXPECT_NE(verdict["summary"].get<std::string>().find(crash.inSummary), std::string::npos);
    bool claimed = false;
    for (const Json& finding : first["findings"]) {
        EXPECT_FALSE(finding["evidence"].empty()) << finding["claim"];
        claimed = claimed ||
                  finding["claim"].get<std::string>().find(crash.inFinding) != std::string::npos;
    }
    EXPECT_TRUE(claimed) << "no finding says: " << crash.inFinding;

    // The blamed function is the one that the bucket ends in, with its line.
    const Json* thread = crashedThread(first);
    ASSERT_NE(thread, nullptr);
    EXPECT_EQ((*thread)["id"], exception["thread"]);
    if (!verdict.contains("frame")) return;
    const Json& blamed = (*thread)["frames"][verdict["frame"].get<std::size_t>()];
    EXPECT_EQ(verdict["module_name"], "analyze_faults");
    EXPECT_EQ(verdict["image_name"], "analyze_faults");
    EXPECT_EQ(blamed["pc"], verdict["followup_ip"]);
    EXPECT_EQ(blamed["module"], "analyze_faults");
    EXPECT_EQ(verdict["symbol_name"], "analyze_faults!" + blamed["function"].get<std::string>());
    EXPECT_TRUE(blamed.value("file", "").ends_with("analyze_faults.cpp")) << blamed;
    EXPECT_GT(blamed.value("line", 0), 0) << blamed;
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, AnalyzeCrash,
    testing::Values(
        Crash{"null-write", "SIGSEGV_NULL_POINTER_WRITE_analyze_faults!null_write", "SIGSEGV",
              "SEGV_MAPERR", "write", "0x0", "null pointer", "null pointer"},
        Crash{"null-write-thread", "SIGSEGV_NULL_POINTER_WRITE_analyze_faults!null_write",
              "SIGSEGV", "SEGV_MAPERR", "write", "0x0", "null pointer", "null pointer"},
        Crash{"null-read-offset", "SIGSEGV_NULL_POINTER_READ_analyze_faults!null_read_offset",
              "SIGSEGV", "SEGV_MAPERR", "read", "0x30", "plus 0x30", "null pointer"},
        Crash{"strcpy-null", "SIGSEGV_NULL_POINTER_WRITE_analyze_faults!copy_to_null", "SIGSEGV",
              "SEGV_MAPERR", "write", "0x0", "null pointer", "held responsible"},
        Crash{"non-canonical", "SIGSEGV_NON_CANONICAL_READ_analyze_faults!non_canonical", "SIGSEGV",
              "SI_KERNEL", "read", "0x4141414141414141", "not canonical", "text, \"AAAAAAAA\""},
        Crash{"poison", "SIGSEGV_INVALID_POINTER_READ_analyze_faults!wild_read", "SIGSEGV",
              "SEGV_MAPERR", "read", "0xdeadbeef", "not mapped", "0xdeadbeef"},
        Crash{"error-value", "SIGSEGV_ERROR_VALUE_POINTER_READ_analyze_faults!wild_read", "SIGSEGV",
              "SEGV_MAPERR", "read", "0xffffffffffffffff", "MAP_FAILED", "error result"},
        Crash{"read-only", "SIGSEGV_READ_ONLY_WRITE_analyze_faults!read_only_write", "SIGSEGV",
              "SEGV_ACCERR", "write", "", "read-only", "Read-only memory"},
        Crash{"guard", "SIGSEGV_NO_ACCESS_READ_analyze_faults!guard_page", "SIGSEGV", "SEGV_ACCERR",
              "read", "", "pages", "guard page"},
        Crash{"misaligned", "SIGSEGV_MISALIGNED_READ_analyze_faults!misaligned", "SIGSEGV",
              "SI_KERNEL", "read", "", "not aligned to 16", "aligned to 16"},
        Crash{"privileged", "SIGSEGV_PRIVILEGED_INSTRUCTION_analyze_faults!privileged", "SIGSEGV",
              "SI_KERNEL", "", "", "hlt", "privileged"}),
    testName);

INSTANTIATE_TEST_SUITE_P(
    Jumps, AnalyzeCrash,
    testing::Values(Crash{"execute-data", "SIGSEGV_EXECUTE_DATA_analyze_faults!run_pointer",
                          "SIGSEGV", "SEGV_ACCERR", "execute", "", "which is data, in ",
                          "executed data"},
                    Crash{"call-null", "SIGSEGV_NULL_POINTER_EXECUTE_analyze_faults!run_pointer",
                          "SIGSEGV", "SEGV_MAPERR", "execute", "0x0", "null function pointer, in ",
                          "null function pointer"},
                    Crash{"call-wild", "SIGSEGV_INVALID_POINTER_EXECUTE_analyze_faults!run_pointer",
                          "SIGSEGV", "SEGV_MAPERR", "execute", "0x123456789000", "not mapped, in ",
                          "jumped to an address"},
                    Crash{"illegal", "SIGILL_TRAP_INSTRUCTION_analyze_faults!illegal", "SIGILL",
                          "ILL_ILLOPN", "execute", "", "ud2", "__builtin_trap"}),
    testName);

INSTANTIATE_TEST_SUITE_P(
    Others, AnalyzeCrash,
    testing::Values(
        Crash{"divide", "SIGFPE_DIVIDE_BY_ZERO_analyze_faults!divide_by_zero", "SIGFPE",
              "FPE_INTDIV", "", "", "divided by zero", "divided by zero"},
        Crash{"divide-overflow", "SIGFPE_DIVIDE_OVERFLOW_analyze_faults!divide_by_zero", "SIGFPE",
              "FPE_INTDIV", "", "", "does not fit", "does not fit"},
        Crash{"beyond-end", "SIGBUS_BEYOND_END_OF_FILE_READ_analyze_faults!beyond_end", "SIGBUS",
              "BUS_ADRERR", "read", "", "does not reach", "deleted by now"},
        Crash{"stack-overflow", "SIGSEGV_STACK_OVERFLOW_analyze_faults!endless_recursion",
              "SIGSEGV", "SEGV_MAPERR", "write", "", "ran out of stack", "stack is exhausted"},
        Crash{"stack-overflow-thread", "SIGSEGV_STACK_OVERFLOW_analyze_faults!endless_recursion",
              "SIGSEGV", "SEGV_ACCERR", "write", "", "ran out of stack", "recursion goes through"}),
    testName);

INSTANTIATE_TEST_SUITE_P(
    Aborts, AnalyzeCrash,
    testing::Values(
        Crash{"assert", "SIGABRT_ASSERT_analyze_faults!failing_assertion", "SIGABRT", "SI_TKILL",
              "", "", "failed an assertion", "value == 7 && \"the answer\""},
        Crash{"terminate", "SIGABRT_UNCAUGHT_EXCEPTION_std::runtime_error_analyze_faults!uncaught",
              "SIGABRT", "SI_TKILL", "", "", "std::runtime_error", "what(): \"cold 5\""},
        Crash{"double-free", "SIGABRT_DOUBLE_FREE_analyze_faults!free_twice", "SIGABRT", "SI_TKILL",
              "", "", "freed memory twice", "double free detected"},
        Crash{"stack-smash", "SIGABRT_STACK_SMASHED_analyze_faults!smash_stack", "SIGABRT",
              "SI_TKILL", "", "", "stack overwritten", "stack smashing detected"},
        Crash{"raise", "SIGSEGV_RAISED_analyze_faults!raise_signal", "SIGSEGV", "SI_TKILL", "", "",
              "raised SIGSEGV", "sent SIGSEGV to itself"},
        Crash{"killed", "SIGSEGV_SENT_analyze_faults", "SIGSEGV", "SI_USER", "", "",
              "sent by process", "nothing the program executed caused it"}),
    testName);

/// Well-formed as XML but for the doctype, void elements and bare attributes: tags nest.
std::string firstNestingError(const std::string& html) {
    std::vector<std::string> open;
    for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
        const std::size_t end = html.find('>', at);
        if (end == std::string::npos) return "unclosed tag";
        const std::string tag = html.substr(at + 1, end - at - 1);
        if (tag.starts_with("!") || tag.ends_with("/") || tag.starts_with("meta")) continue;
        if (tag.starts_with("/")) {
            if (open.empty() || open.back() != tag.substr(1))
                return "</" + tag.substr(1) + "> closes <" +
                       (open.empty() ? "nothing" : open.back()) + ">";
            open.pop_back();
            continue;
        }
        open.push_back(tag.substr(0, tag.find_first_of(" \n")));
        if (open.back() == "style") at = html.find("</style>", end) - 1;  // no tags inside
    }
    return open.empty() ? "" : "<" + open.back() + "> stays open";
}

TEST(AnalyzeViews, OneCrashAsTextAndAsPage) {
    const Scratch scratch;
    ASSERT_TRUE(
        takeCores("analyze_faults", "null-write-thread", scratch.file("1"), scratch.file("2")));
    const Output text = shell(tests::program() + " analyze " + scratch.file("1"));
    for (const std::string piece : {"SIGSEGV: segmentation fault: address not mapped",
                                    "null pointer", ">  0 analyze_faults!null_write",
                                    "analyze_faults.cpp:", ", crashed", "Modules", "libc.so.6"}) {
        EXPECT_NE(text.text.find(piece), std::string::npos) << piece << "\n" << text.text;
    }
    EXPECT_EQ(text.text.find('\x1b'), std::string::npos) << "no colours where nobody looks";
    const Output colored = shell(tests::program() + " analyze --color always " + scratch.file("1"));
    EXPECT_NE(colored.text.find("\x1b[1;31m"), std::string::npos);

    const std::string page = scratch.file("page.html");
    const std::string command =
        tests::program() + " analyze --html " + page + " " + scratch.file("1");
    const Output html = shell(command + " 2>&1");
    EXPECT_EQ(html.text, "");
    const std::string content = shell("cat " + page).text;
    EXPECT_EQ(firstNestingError(content), "");
    for (const std::string piece : {"<!DOCTYPE html>", "null_write", "<svg", "</html>"})
        EXPECT_NE(content.find(piece), std::string::npos) << piece;
    for (const std::string outside :
         {"http:", "https:", "src=", "href=", "@import", "url(", "<script"})
        EXPECT_EQ(content.find(outside), std::string::npos) << "loads from outside: " << outside;
    EXPECT_EQ(shell(command + " 2>&1").status, 1)
        << "an existing page must not be replaced unasked";
    EXPECT_NE(shell(command + " --overwrite 2>&1").status, 1);

    // Several files are one document: an array; one that cannot be used does not hide the others.
    const Output both = shell(tests::program() + " analyze --json " + scratch.file("1") + " " +
                              scratch.file("2") + " /nowhere 2>/dev/null");
    EXPECT_EQ(both.status, 1);
    const Json array = Json::parse(both.text, nullptr, false);
    ASSERT_TRUE(array.is_array()) << both.text;
    EXPECT_EQ(array.size(), 2U);
    EXPECT_EQ(shell(tests::program() + " analyze /nowhere 2>/dev/null").status, 1);
    EXPECT_EQ(shell(tests::program() + " analyze 2>/dev/null").status, 2);
}

}  // namespace
}  // namespace icecore
