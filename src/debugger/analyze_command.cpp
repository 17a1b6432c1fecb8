// !analyze: the verdict, in the fields people and scripts know.
#include <fmt/format.h>

#include "analysis/bucket_hash.h"
#include "base/text.h"
#include "debugger/code_text.h"
#include "debugger/commands.h"
#include "debugger/event_text.h"
#include "debugger/frame_text.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// Stops the analysis when the person does.
class SessionProgress final : public Progress {
public:
    explicit SessionProgress(const Session& session) : session_(session) {}
    void begin(std::string_view, std::uint64_t) override {}
    void advance(std::uint64_t) override {}
    void end() override {}
    [[nodiscard]] bool cancelled() const override { return session_.interrupted(); }

private:
    const Session& session_;
};

class Report {
public:
    Report(CommandCall& call, const Analysis& analysis)
        : session_(call.session), out_(call.out), analysis_(analysis) {}

    void brief() {
        title();
        out_.print("{}\n\n", printable(analysis_.verdict.summary));
        findings();
        field("BUCKET_ID", analysis_.verdict.bucket);
        field("IMAGE_NAME", analysis_.verdict.imageName);
        followup();
    }

    void full() {
        title();
        out_.print("{}\n\n", printable(analysis_.verdict.summary));
        findings();
        keyValues();
        faultingIp();
        exceptionRecord();
        const Verdict& verdict = analysis_.verdict;
        field("DEFAULT_BUCKET_ID", verdict.kind);
        field("PROCESS_NAME", session_.process().name);
        fault();
        stack();
        if (verdict.followupIp) {
            out_.print("FOLLOWUP_IP:\n{}\n", symbolOrAddressText(session_, *verdict.followupIp));
            out_.write(CodeReader(session_).line(*verdict.followupIp).text + "\n");
        }
        field("FOLLOWUP_NAME", owner());
        field("SYMBOL_NAME", verdict.symbolName);
        field("MODULE_NAME", verdict.moduleName);
        field("IMAGE_NAME", verdict.imageName);
        blamedImage();
        field("FAILURE_BUCKET_ID", verdict.bucket);
        field("BUCKET_ID", verdict.bucket);
        field("FAILURE_ID_HASH_STRING",
              bucketHashText(verdict.bucket, analysis_.bugCheck.has_value()));
        field("FAILURE_ID_HASH", verdict.hash);
        for (const Issue& issue : analysis_.issues.items())
            field("NOTE", issue.describe());
        followup();
    }

private:
    void field(std::string_view name, std::string_view value) {
        if (!value.empty()) out_.print("{}:  {}\n\n", name, printable(value));
    }

    void title() {
        const std::string stars(79, '*');
        const std::string empty = "*" + std::string(77, ' ') + "*";
        out_.print("{}\n{}\n*{:^77}*\n{}\n{}\n\n", stars, empty, "Exception Analysis", empty,
                   stars);
    }

    void findings() {
        for (const Finding& finding : analysis_.findings) {
            out_.print("{} ({})\n", printable(finding.claim), toString(finding.confidence));
            for (const std::string& evidence : finding.evidence)
                out_.print("    - {}\n", printable(evidence));
        }
        if (!analysis_.findings.empty()) out_.write("\n");
    }

    void faultingIp() {
        const auto& exception = session_.process().exception;
        if (!exception || exception->address == 0) return;
        out_.print("FAULTING_IP:\n{}\n", symbolOrAddressText(session_, exception->address));
        out_.write(CodeReader(session_).line(exception->address).text + "\n");
    }

    void exceptionRecord() {
        const auto& exception = session_.process().exception;
        if (!exception) return;
        if (analysis_.bugCheck) {
            bugCheck(*analysis_.bugCheck);
            return;
        }
        out_.print("EXCEPTION_RECORD:  (.exr -1)\n{}\n", exceptionRecordText(session_, *exception));
        out_.print("FAULTING_THREAD:  {:08x}\n\n", exception->threadId);
        field("ERROR_CODE", fmt::format("({}) {:#x} - {}", analysis_.exceptionName, exception->code,
                                        analysis_.exceptionText));
        // What Windows calls by its number Linux calls by its name.
        const bool windows = session_.process().system.os == Os::windows;
        const std::string code =
            windows ? fmt::format("{:x}", exception->code) : analysis_.exceptionName;
        field("EXCEPTION_CODE_STR", code);
        for (std::size_t i = 0; i < exception->parameters.size(); ++i)
            field(fmt::format("EXCEPTION_PARAMETER{}", i + 1),
                  fmt::format("{:016x}", exception->parameters[i]));
        field("BUGCHECK_STR", code);
    }

    void bugCheck(const BugCheck& check) {
        out_.print("{} ({:x})\n{}.\nArguments:\n", check.name, check.code, check.text);
        for (std::size_t i = 0; i < check.parameters.size(); ++i)
            out_.print("Arg{}: {}\n", i + 1, check.parameters[i]);
        out_.write("\n");
        field("BUGCHECK_CODE", fmt::format("{:x}", check.code));
        field("BUGCHECK_STR", fmt::format("0x{:X}", check.code));
        if (check.irql) field("CURRENT_IRQL", fmt::format("{:x}", *check.irql));
        if (check.trapFrame) field("TRAP_FRAME", addressText(session_, *check.trapFrame));
        field("BUGCHECKING_DRIVER", check.driver);
    }

    /// What scripts read first: names and values that need no parsing of prose.
    void keyValues() {
        const auto& exception = session_.process().exception;
        const Verdict& verdict = analysis_.verdict;
        std::vector<std::pair<std::string_view, std::string>> pairs;
        const auto add = [&](std::string_view key, std::string value) {
            if (!value.empty()) pairs.emplace_back(key, std::move(value));
        };
        if (const auto& fault = analysis_.fault) {
            if (verdict.kind.starts_with("NULL_POINTER")) add("AV.Dereference", "NullPtr");
            if (fault->access != AccessKind::unknown)
                add("AV.Type", std::string(toString(fault->access)));
        }
        if (analysis_.bugCheck) {
            add("Bugcheck.Code", fmt::format("0x{:x}", analysis_.bugCheck->code));
        } else if (exception) {
            add("Failure.Exception.Code", fmt::format("0x{:x}", exception->code));
        }
        if (exception && exception->address != 0)
            add("Failure.Exception.IP.Address", fmt::format("0x{:x}", exception->address));
        add("Failure.Bucket", verdict.bucket);
        add("Failure.Hash", verdict.hash);
        out_.write("KEY_VALUES_INFORMATION: 1\n\n");
        for (const auto& [key, value] : pairs)
            out_.print("    Key  : {}\n    Value: {}\n\n", key, printable(value));
    }

    void fault() {
        if (!analysis_.fault) return;
        const Fault& fault = *analysis_.fault;
        if (fault.address) {
            const std::string_view name = fault.access == AccessKind::write     ? "WRITE_ADDRESS"
                                          : fault.access == AccessKind::execute ? "EXECUTE_ADDRESS"
                                          : fault.access == AccessKind::read    ? "READ_ADDRESS"
                                                                                : "FAULT_ADDRESS";
            field(name, addressText(session_, *fault.address));
        }
        field("FAULTING_OPERAND", fault.operand);
        field("FAULTING_REGISTERS", fault.registers);
        const auto& exception = session_.process().exception;
        if (fault.strayJump && exception) {
            out_.print("FAILED_INSTRUCTION_ADDRESS:\n{}\n",
                       symbolOrAddressText(session_, exception->address));
            out_.write(CodeReader(session_).line(exception->address).text + "\n");
        }
        if (fault.oneBitFrom)
            field("SINGLE_BIT_ERROR",
                  fmt::format("{} is expected", addressText(session_, *fault.oneBitFrom)));
        field("CHKIMG_EXTENSION", fault.patchedCode);
    }

    /// The stack the verdict speaks of.
    void stack() {
        const auto& threads = session_.process().threads;
        for (std::size_t i = 0; i < threads.size() && i < analysis_.stacks.size(); ++i) {
            if (!analysis_.verdict.thread || threads[i].id != *analysis_.verdict.thread) continue;
            StackStyle style;
            style.arguments = true;
            const NamedStack& stack = analysis_.stacks[i];
            const auto& physical = stack.stack.frames;
            if (physical.size() > 1)
                field("LAST_CONTROL_TRANSFER",
                      fmt::format("from {} to {}", addressText(session_, physical[1].pc),
                                  addressText(session_, physical[0].pc)));
            out_.write("STACK_TEXT:\n");
            for (std::size_t f = 0; f < stack.frames.size() && f < 64; ++f)
                out_.write(frameLine(session_, stack, f, style));
            out_.write("\n");
            field("STACK_COMMAND",
                  fmt::format("~{}s{} ; kb", i, session_.process().exception ? " ; .ecxr" : ""));
        }
    }

    void blamedImage() {
        for (const Module& module : session_.process().modules) {
            if (module.fileName() != analysis_.verdict.imageName) continue;
            if (module.timestamp != 0)
                field("DEBUG_FLR_IMAGE_TIMESTAMP", fmt::format("{:x}", module.timestamp));
            field("DEBUG_FLR_IMAGE_ID", module.id.text());
            return;
        }
    }

    /// Nobody here knows people: a module stands for whoever made it.
    [[nodiscard]] std::string owner() const {
        return analysis_.verdict.healthy || analysis_.verdict.moduleName.empty()
                   ? std::string()
                   : "owner of " + analysis_.verdict.moduleName;
    }

    void followup() {
        const std::string name = owner();
        out_.print("Followup:     {}\n---------\n", name.empty() ? "none" : name);
    }

    Session& session_;
    Output& out_;
    const Analysis& analysis_;
};

}  // namespace

Result<void> analyzeDump(CommandCall& call) {
    bool full = false;
    while (!call.arguments.empty()) {
        if (call.arguments.takeSwitch('v')) {
            full = true;
        } else if (!call.arguments.takeSwitch('f') && !call.arguments.takeKeyword("-hang") &&
                   !call.arguments.takeKeyword("-nodb")) {
            return call.arguments.finish();
        }
    }
    SessionProgress progress(call.session);
    const Analysis analysis = analyze(call.session.snapshot(), call.session.unwinder(),
                                      call.session.symbolizer(), progress);
    if (call.session.interrupted()) return {};
    Report report(call, analysis);
    if (full) {
        report.full();
    } else {
        report.brief();
    }
    return {};
}

}  // namespace icecore::debugger
