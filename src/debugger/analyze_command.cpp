// !analyze: the verdict, in the fields people and scripts know.
#include <fmt/format.h>

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
        faultingIp();
        exceptionRecord();
        field("PROCESS_NAME", session_.process().name);
        fault();
        stack();
        const Verdict& verdict = analysis_.verdict;
        if (verdict.followupIp) {
            out_.print("FOLLOWUP_IP:\n{}\n", symbolOrAddressText(session_, *verdict.followupIp));
            out_.write(CodeReader(session_).line(*verdict.followupIp).text + "\n");
        }
        field("SYMBOL_NAME", verdict.symbolName);
        field("MODULE_NAME", verdict.moduleName);
        field("IMAGE_NAME", verdict.imageName);
        buildId();
        field("FAILURE_BUCKET_ID", verdict.bucket);
        field("BUCKET_ID", verdict.bucket);
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
        if (const auto& bugCheck = analysis_.bugCheck) {
            out_.print("{} ({:x})\n{}.\nArguments:\n", bugCheck->name, bugCheck->code,
                       bugCheck->text);
            for (std::size_t i = 0; i < bugCheck->parameters.size(); ++i)
                out_.print("Arg{}: {}\n", i + 1, bugCheck->parameters[i]);
            out_.write("\n");
            field("BUGCHECK_CODE", fmt::format("{:x}", bugCheck->code));
            field("BUGCHECK_STR", bugCheck->name);
            return;
        }
        out_.print("EXCEPTION_RECORD:  (.exr -1)\n{}\n", exceptionRecordText(session_, *exception));
        out_.print("FAULTING_THREAD:  {:08x}\n\n", exception->threadId);
        field("ERROR_CODE", fmt::format("({}) {:#x} - {}", analysis_.exceptionName, exception->code,
                                        analysis_.exceptionText));
        field("EXCEPTION_CODE_STR", analysis_.exceptionName);
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
    }

    /// The stack the verdict speaks of.
    void stack() {
        const auto& threads = session_.process().threads;
        for (std::size_t i = 0; i < threads.size() && i < analysis_.stacks.size(); ++i) {
            if (!analysis_.verdict.thread || threads[i].id != *analysis_.verdict.thread) continue;
            StackStyle style;
            style.arguments = true;
            out_.write("STACK_TEXT:\n");
            const NamedStack& stack = analysis_.stacks[i];
            for (std::size_t f = 0; f < stack.frames.size() && f < 64; ++f)
                out_.write(frameLine(session_, stack, f, style));
            out_.write("\n");
            field("STACK_COMMAND",
                  fmt::format("~{}s{} ; kb", i, session_.process().exception ? " ; .ecxr" : ""));
        }
    }

    void buildId() {
        for (const Module& module : session_.process().modules) {
            if (module.fileName() != analysis_.verdict.imageName || module.id.bytes.empty())
                continue;
            field("DEBUG_FLR_IMAGE_ID", module.id.text());
            return;
        }
    }

    void followup() {
        out_.print("Followup:     {}\n---------\n",
                   analysis_.verdict.healthy || analysis_.verdict.moduleName.empty()
                       ? "none"
                       : "owner of " + analysis_.verdict.moduleName);
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
