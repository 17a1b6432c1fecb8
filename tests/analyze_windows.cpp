// The verdict on dumps of a Windows program (tests/targets/windows/crash.cpp) that Wine's
// MiniDumpWriteDump made.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/scratch.h"
#include "support/windows_crashes.h"

namespace icecore::tests {
namespace {

using Json = nlohmann::json;

class AnalyzeWindows : public WindowsCrashes {
protected:
    static std::string dump(const std::string& how, const std::string& type = "0") {
        const std::string path = WindowsCrashes::dump(how, type);
        EXPECT_NE(path, "") << "no dump of " << how;
        return path;
    }
    static Json analysis(const std::string& how, const std::string& type = "0") {
        const ShellOutput output =
            shell(program() + " analyze --json " + symbols() + dump(how, type) + " 2>/dev/null");
        const Json json = Json::parse(output.text, nullptr, false);
        EXPECT_FALSE(json.is_discarded()) << output.text;
        return json;
    }
    static Json crashed(const Json& analysis) {
        for (const Json& thread : analysis["threads"]) {
            if (thread.value("crashed", false)) return thread;
        }
        return {};
    }
    static bool stands(const Json& thread, std::string_view function) {
        for (const Json& frame : thread["frames"]) {
            if (frame.value("function", "").find(function) != std::string::npos) return true;
        }
        return false;
    }
};

TEST_F(AnalyzeWindows, ADeadlockOfCriticalSections) {
    const Json json = analysis("hang", "2");
    EXPECT_FALSE(json.contains("exception"));
    EXPECT_EQ(json["verdict"]["bucket"], "DEADLOCK_crash!takeBoth") << json["verdict"].dump(1);
    EXPECT_EQ(json["verdict"]["healthy"], false);
    // Each of the two waits for the other.
    std::map<std::uint64_t, std::string> activities;
    for (const Json& thread : json["threads"]) {
        if (stands(thread, "takeBoth")) activities[thread["id"]] = thread.value("activity", "");
    }
    ASSERT_EQ(activities.size(), 2U);
    const auto first = *activities.begin();
    const auto second = *activities.rbegin();
    EXPECT_EQ(first.second,
              fmt::format("waiting for a critical section held by thread {}", second.first));
    EXPECT_EQ(second.second,
              fmt::format("waiting for a critical section held by thread {}", first.first));
    const Json& finding = json["findings"][0];
    EXPECT_NE(finding["claim"].get<std::string>().find("wait for each other in a circle"),
              std::string::npos)
        << finding.dump(1);
    ASSERT_EQ(finding["evidence"].size(), 2U);
    EXPECT_NE(finding["evidence"][0].get<std::string>().find("whose owner is thread"),
              std::string::npos);
}

/// One has a section and loads a library, the other is in the loader and wants the section. Its
/// parent dumps it: who writes a dump needs the loader's lock.
TEST_F(AnalyzeWindows, ADeadlockThroughTheLoadersLock) {
    const Json json = analysis("loader", "2");
    EXPECT_EQ(json["verdict"]["bucket"], "DEADLOCK_crash!enterInsideLoader")
        << json["verdict"].dump(1);
    std::uint64_t loads = 0, enters = 0;
    std::string loading, entering;
    for (const Json& thread : json["threads"]) {
        if (stands(thread, "loadWithSection")) {
            loads = thread["id"];
            loading = thread.value("activity", "");
        }
        if (stands(thread, "enterInsideLoader")) {
            enters = thread["id"];
            entering = thread.value("activity", "");
        }
    }
    EXPECT_EQ(loading, fmt::format("waiting for the loader lock held by thread {}", enters));
    EXPECT_EQ(entering, fmt::format("waiting for a critical section held by thread {}", loads));
    const Json& finding = json["findings"][0];
    EXPECT_NE(finding["claim"].get<std::string>().find("wait for each other in a circle"),
              std::string::npos)
        << finding.dump(1);
    EXPECT_EQ(finding["confidence"], "certain");
}

/// Linked to another address, which is what ASLR does to it, a program fails in the same way.
TEST_F(AnalyzeWindows, BucketsAreTheSameWhereverTheProgramWasLoaded) {
    const Scratch scratch;
    const auto folder = std::filesystem::path(exe()).parent_path();
    const ShellOutput linked =
        shell("cd " + scratch.file("") + " && lld-link-19 /entry:entry /nodefaultlib /debug " +
              "/subsystem:console /base:0x170000000 /out:crash.exe /pdb:crash.pdb " +
              (folder / "crash.obj").string() + " " + (folder / "kernel32.lib").string() + " 2>&1");
    ASSERT_EQ(linked.status, 0) << linked.text;
    const struct {
        const char* how;
        bool inside;  ///< it happens in the program's own code
    } ways[] = {{"null", true}, {"divide", true}, {"throw", false}};
    const auto analysed = [](const std::string& options, const std::string& file) {
        return Json::parse(
            shell("cd / && " + program() + " analyze --json " + options + file + " 2>/dev/null")
                .text,
            nullptr, false);
    };
    const std::string theirSymbols =
        "--symbols '" + scratch.file("") + ";" + Wine::libraries() + "' ";
    for (const auto& [how, inside] : ways) {
        SCOPED_TRACE(how);
        const std::string elsewhere = std::string(how) + "-elsewhere.dmp";
        ASSERT_EQ(wine_->run(scratch.file("crash.exe") + " " + how + " " + elsewhere + " 0"), 0);
        for (const bool named : {true, false}) {
            const Json first = analysed(named ? symbols() : "", dump(how)),
                       second = analysed(named ? theirSymbols : "", wine_->file(elsewhere));
            ASSERT_FALSE(first.is_discarded() || second.is_discarded());
            if (inside) {
                EXPECT_NE(first["exception"]["address"], second["exception"]["address"]);
            }
            EXPECT_EQ(first["verdict"]["bucket"], second["verdict"]["bucket"]);
            EXPECT_EQ(first["verdict"]["symbol_name"], second["verdict"]["symbol_name"]);
            // Without code a word of the stack is a guess, whose place is no part of the bucket.
            if (!named && !inside) {
                EXPECT_EQ(first["verdict"]["bucket"], "CPP_EXCEPTION_crash");
            }
        }
    }
}

/// Of type Normal: the sections lie in data, which it lacks.
TEST_F(AnalyzeWindows, WithoutTheSectionsMemoryNobodyIsAccused) {
    const Json json = analysis("hang");
    EXPECT_EQ(json["verdict"]["bucket"], "NO_EXCEPTION_crash");
    std::size_t waiting = 0;
    for (const Json& thread : json["threads"]) {
        if (!stands(thread, "takeBoth")) continue;
        ++waiting;
        EXPECT_EQ(thread.value("activity", ""), "waiting for a critical section");
    }
    EXPECT_EQ(waiting, 2U);
}

TEST_F(AnalyzeWindows, InlinedCallsOfOptimisedCodeStandAtTheirLines) {
    const Json thread = crashed(analysis("null"));
    const auto lineOf = [](std::string_view code) {
        std::ifstream source(sourceFile("tests/targets/windows/crash.cpp"));
        std::string line;
        for (std::uint32_t number = 1; std::getline(source, line); ++number) {
            if (line.find(code) != std::string::npos) return number;
        }
        return 0U;
    };
    const struct {
        const char *function, *code;
        bool isInline;
    } expected[] = {{"addInlined", "// the null write", true},
                    {"twiceInlined", "return addInlined(job, k) + 1;", true},
                    {"compute", "const int result = twiceInlined(job, k);", false},
                    {"crasher", "result = compute(&mainJob, 42);", false}};
    for (std::size_t i = 0; i < std::size(expected); ++i) {
        const Json& frame = thread["frames"].at(i);
        SCOPED_TRACE(frame.dump());
        EXPECT_NE(frame["function"].get<std::string>().find(expected[i].function),
                  std::string::npos);
        EXPECT_EQ(frame["inline"], expected[i].isInline);
        EXPECT_EQ(frame["line"], lineOf(expected[i].code));
    }
}

TEST_F(AnalyzeWindows, BucketsNameKindAndFunctionAndNoAddress) {
    const std::map<std::string, std::string> kinds = {
        {"null", "STATUS_ACCESS_VIOLATION_NULL_POINTER_WRITE_crash!"},
        {"throw", "CPP_EXCEPTION_FormatError_crash!parse"},
        {"divide", "STATUS_INTEGER_DIVIDE_BY_ZERO_crash!divide"},
        {"fastfail", "STATUS_STACK_BUFFER_OVERRUN_STACK_COOKIE_CHECK_FAILURE_crash!crasher"},
        {"overflow", "STATUS_STACK_OVERFLOW_crash!recurse"}};
    for (const auto& [how, expected] : kinds) {
        const std::string bucket = analysis(how)["verdict"]["bucket"];
        EXPECT_TRUE(bucket.starts_with(expected)) << how << ": " << bucket;
        EXPECT_EQ(bucket.find("0x"), std::string::npos) << bucket;
    }
}

/// The instruction at the fault is another in the program's file.
TEST_F(AnalyzeWindows, CodeThatWasPatchedIsTold) {
    const Json json = analysis("patched", "2");
    EXPECT_EQ(json["exception"]["fault_address"], "0x8");
    EXPECT_EQ(json["exception"]["instruction"], "mov al, byte ptr [8]") << json["exception"].dump();
    const std::string patched = json["exception"].value("patched_code", "");
    EXPECT_NE(patched.find("8a042508000000 in memory, "), std::string::npos) << patched;
    EXPECT_NE(patched.find("crash.exe"), std::string::npos) << patched;
    bool told = false;
    for (const Json& finding : json["findings"])
        told |= finding["claim"].get<std::string>().find("differs from the module's file") !=
                std::string::npos;
    EXPECT_TRUE(told) << json["findings"].dump(1);
    // Code as the file has it is none.
    EXPECT_FALSE(analysis("null", "2")["exception"].contains("patched_code"));
}

/// The fields that Microsoft documents of !analyze, in dumps that have them.
TEST_F(AnalyzeWindows, FieldsThatScriptsLookFor) {
    const std::string text = open(dump("null", "2"), "!analyze -v");
    for (const char* field :
         {"KEY_VALUES_INFORMATION: 1\n",
          "    Key  : AV.Dereference\n    Value: NullPtr\n",
          "    Key  : AV.Type\n    Value: write\n",
          "    Key  : Failure.Exception.Code\n    Value: 0xc0000005\n",
          "    Key  : Failure.Bucket\n    Value: STATUS_ACCESS_VIOLATION_NULL_POINTER_WRITE_crash!",
          "FAULTING_IP:\ncrash!",
          "EXCEPTION_RECORD:  (.exr -1)\n",
          "FAULTING_THREAD:  ",
          "ERROR_CODE:  (STATUS_ACCESS_VIOLATION) 0xc0000005 - ",
          "EXCEPTION_CODE_STR:  c0000005\n",
          "EXCEPTION_PARAMETER1:  0000000000000001\n",
          "EXCEPTION_PARAMETER2:  0000000000000000\n",
          "BUGCHECK_STR:  c0000005\n",
          "DEFAULT_BUCKET_ID:  NULL_POINTER_WRITE\n",
          "PROCESS_NAME:  crash.exe\n",
          "WRITE_ADDRESS:  00000000`00000000\n",
          "LAST_CONTROL_TRANSFER:  from 00000001`4000",
          "STACK_TEXT:\n",
          "STACK_COMMAND:  ~5s ; .ecxr ; kb\n",
          "FOLLOWUP_IP:\ncrash!",
          "FOLLOWUP_NAME:  owner of crash\n",
          "SYMBOL_NAME:  crash!",
          "MODULE_NAME:  crash\n",
          "IMAGE_NAME:  crash.exe\n",
          "DEBUG_FLR_IMAGE_TIMESTAMP:  ",
          "FAILURE_BUCKET_ID:  STATUS_ACCESS_VIOLATION_NULL_POINTER_WRITE_crash!",
          "\nBUCKET_ID:  STATUS_ACCESS_VIOLATION_NULL_POINTER_WRITE_crash!",
          "FAILURE_ID_HASH_STRING:  um:status_access_violation_null_pointer_write_crash!",
          "FAILURE_ID_HASH:  {",
          "Followup:     owner of crash\n"})
        EXPECT_NE(text.find(field), std::string::npos) << field << "\n" << text;
    const std::string stray = open(dump("callnull"), "!analyze -v");
    EXPECT_NE(stray.find("FAILED_INSTRUCTION_ADDRESS:\n00000000`00000000\n"), std::string::npos)
        << stray;
    EXPECT_NE(stray.find("EXECUTE_ADDRESS:  00000000`00000000\n"), std::string::npos) << stray;
    const std::string patched = open(dump("patched", "2"), "!analyze -v");
    EXPECT_NE(patched.find("CHKIMG_EXTENSION:  0x1400"), std::string::npos) << patched;
    EXPECT_EQ(text.find("CHKIMG_EXTENSION"), std::string::npos);
    EXPECT_EQ(text.find("FAILED_INSTRUCTION_ADDRESS"), std::string::npos);
}

TEST_F(AnalyzeWindows, APageOfTheVerdict) {
    const std::string file = dump("throw");
    const Scratch scratch;
    const std::string page = scratch.file("page.html");
    const std::string command =
        program() + " analyze " + symbols() + file + " --html " + page + " 2>&1";
    EXPECT_EQ(shell(command).text, "");
    std::ifstream written(page);
    const std::string html(std::istreambuf_iterator<char>(written), {});
    EXPECT_TRUE(html.starts_with("<!DOCTYPE html>"));
    for (const char* part : {"FormatError", "crash!parse", "<svg", "kernel32", "Modules ("})
        EXPECT_NE(html.find(part), std::string::npos) << part;
    const ShellOutput again = shell(command);
    EXPECT_EQ(again.status, 1);
    EXPECT_NE(again.text.find("--overwrite"), std::string::npos) << again.text;
}

}  // namespace
}  // namespace icecore::tests
