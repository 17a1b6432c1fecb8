// What an exception means, and who is to blame for it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/abort_reason.h"
#include "analysis/bug_checks.h"
#include "analysis/fault.h"
#include "analysis/inquiry.h"
#include "analysis/mac_exception.h"
#include "analysis/windows_exception.h"
#include "model/signals.h"
#include "unwind/call_site.h"

namespace icecore {

namespace {

const NamedStack* stackOf(const Inquiry& inquiry, std::uint64_t thread) {
    const auto found = std::ranges::find(inquiry.out.stacks, thread, &NamedStack::threadId);
    return found == inquiry.out.stacks.end() ? nullptr : &*found;
}

void describeException(Inquiry& inquiry, const Exception& exception) {
    if (inquiry.out.bugCheck) {
        inquiry.out.exceptionName = inquiry.out.bugCheck->name;
        inquiry.out.exceptionText = inquiry.out.bugCheck->text;
        return;
    }
    if (inquiry.crash.process.system.os == Os::windows) {
        const WindowsException words = readWindowsException(inquiry.crash, exception);
        inquiry.out.exceptionName = words.name;
        inquiry.out.exceptionText = words.text;
        return;
    }
    if (inquiry.crash.process.system.os == Os::macos) {
        const MacException words = readMacException(exception);
        inquiry.out.exceptionName = words.name;
        inquiry.out.exceptionText = words.text;
        return;
    }
    const SignalWords words = signalWords(exception.code);
    const SignalCodeWords code = signalCodeWords(exception.code, exception.signalCode);
    inquiry.out.exceptionName = words.name;
    inquiry.out.exceptionText = words.text;
    // Without siginfo a code of 0 means nothing.
    const bool told = exception.signalCode != 0 || !exception.rawSignalInfo.empty();
    if (!told) return;
    inquiry.out.exceptionCodeName = code.name;
    if (sentByProcess(exception) && exception.sender) {
        const bool self = *exception.sender == inquiry.crash.process.pid;
        inquiry.out.exceptionText += self ? ": raised by the process itself"
                                          : fmt::format(": sent by process {}", *exception.sender);
    } else if (!code.text.empty()) {
        inquiry.out.exceptionText += fmt::format(": {}", code.text);
    } else {
        inquiry.out.exceptionText += fmt::format(": code {}", exception.signalCode);
    }
}

/// The caller of a stray jump is more than a guess when the call that made it has just been
/// pushed: its return address is on top of the stack, and a call instruction precedes it.
bool justCalled(const CrashCase& crash, const Registers& registers, std::uint64_t returnAddress) {
    const auto link = archInfo(crash.arch()).lr;
    const auto onTop = link ? registers.get(*link) : crash.readPointer(registers.sp());
    if (!onTop || stripPointer(crash.arch(), *onTop) != returnAddress) return false;
    std::array<std::byte, maxCallSize> before{};
    if (returnAddress < before.size() ||
        crash.memory->read(returnAddress - before.size(), before).bytes != before.size())
        return false;
    return callEndingAt(crash.arch(), returnAddress, before).has_value();
}

void judgeFault(Inquiry& inquiry, const Exception& exception, const Thread& thread,
                const NamedStack& stack) {
    const Registers& registers = exception.context && !exception.context->registers.empty()
                                     ? exception.context->registers
                                     : thread.context->registers;
    FaultDiagnosis diagnosis = diagnoseFault(inquiry.crash, exception, registers, stack);
    for (Finding& finding : diagnosis.findings)
        inquiry.out.findings.push_back(std::move(finding));
    inquiry.out.fault = std::move(diagnosis.fault);
    std::size_t first = 0;
    if (diagnosis.strayJump) {
        // The frame of the stray address itself is nobody's.
        while (first < stack.frames.size() && stack.frames[first].physical == 0)
            ++first;
        if (first >= stack.frames.size()) first = 0;
    }
    Blame found = findBlame(stack, first);
    if (diagnosis.strayJump && found.frame == first)
        found.proven = justCalled(inquiry.crash, registers, stack.frames[first].pc);
    if (!diagnosis.recursionPlace.empty()) {
        // Where in the recursion the stack ran out is chance; its most frequent member is not.
        for (std::size_t i = 0; i < stack.frames.size(); ++i) {
            const NamedFrame& frame = stack.frames[i];
            if (frame.trust == Trust::inlined || placeText(frame) != diagnosis.recursionPlace)
                continue;
            found = Blame();
            found.frame = i;
            found.certainRules = true;
            found.skipped = i;
            break;
        }
    }
    // STATUS_STACK_OVERFLOW need not be told that it is a STACK_OVERFLOW.
    const bool said = inquiry.out.exceptionName.ends_with(diagnosis.kind);
    accuse(inquiry, stack, found, inquiry.out.exceptionName + (said ? "" : "_" + diagnosis.kind),
           diagnosis.happening);
}

void judgeAbort(Inquiry& inquiry, const Thread& thread, const NamedStack& stack) {
    AbortReason reason = findAbortReason(inquiry.crash, thread, stack);
    for (Finding& finding : reason.findings)
        inquiry.out.findings.push_back(std::move(finding));
    accuse(inquiry, stack, findBlame(stack, blameStart(stack, true)),
           inquiry.out.exceptionName + "_" + reason.kind, reason.happening, reason.message);
}

void judgeSent(Inquiry& inquiry, const Exception& exception) {
    const Process& process = inquiry.crash.process;
    const SignalWords words = signalWords(exception.code);
    const bool self = exception.sender && *exception.sender == process.pid;
    inquiry.out.verdict.thread = exception.threadId;
    std::string by = !exception.sender ? std::string("somebody")
                     : self            ? std::string("itself")
                                       : fmt::format("process {}", *exception.sender);
    std::vector<std::string> evidence = {
        fmt::format("si_code {} ({})", exception.signalCode,
                    signalCodeWords(exception.code, exception.signalCode).name)};
    if (exception.sender) evidence.push_back(fmt::format("sender {}", *exception.sender));
    if (self) {
        const NamedStack* stack = stackOf(inquiry, exception.threadId);
        inquiry.out.findings.push_back({fmt::format("The process sent {} to itself.", words.name),
                                        evidence, Confidence::certain});
        if (stack != nullptr && !stack->frames.empty()) {
            accuse(inquiry, *stack, findBlame(*stack, blameStart(*stack, true)),
                   inquiry.out.exceptionName + "_RAISED", fmt::format("raised {}", words.name));
            return;
        }
    }
    inquiry.out.findings.push_back(
        {fmt::format("{} was sent by {}: nothing the program executed caused it.", words.name, by),
         std::move(evidence), Confidence::certain});
    accuseNobody(inquiry, inquiry.out.exceptionName + "_SENT");
    inquiry.out.verdict.healthy = !self;
    inquiry.out.verdict.summary =
        fmt::format("{} ({}) was sent by {}; nothing points at a fault of the program. {}",
                    words.name, words.text, by, waitingText(inquiry));
}

/// What the processor refused is diagnosed like any fault; the rest the program raised itself.
void judgeWindows(Inquiry& inquiry, const Exception& exception, const Thread& thread,
                  const NamedStack& stack) {
    if (inquiry.out.bugCheck) {
        inquiry.out.bugCheck->driver = bugCheckingDriver(exception, stack);
        inquiry.out.findings.push_back({fmt::format("Bug check {}: {}.", inquiry.out.bugCheck->name,
                                                    inquiry.out.bugCheck->text),
                                        inquiry.out.bugCheck->parameters, Confidence::certain});
        accuse(inquiry, stack, findBlame(stack), inquiry.out.bugCheck->name,
               fmt::format("stopped the system, {}", inquiry.out.bugCheck->name));
        return;
    }
    if (const auto fault = asSignal(inquiry.crash.process, exception)) {
        judgeFault(inquiry, *fault, thread, stack);
        return;
    }
    WindowsException words = readWindowsException(inquiry.crash, exception);
    for (Finding& finding : words.findings)
        inquiry.out.findings.push_back(std::move(finding));
    accuse(inquiry, stack, findBlame(stack),
           words.name + (words.kind.empty() ? "" : "_" + words.kind), words.happening);
}

void judgeMac(Inquiry& inquiry, const Exception& exception, const Thread& thread,
              const NamedStack& stack) {
    if (const auto fault = macSignal(exception)) {
        judgeFault(inquiry, *fault, thread, stack);
        return;
    }
    accuse(inquiry, stack, findBlame(stack, blameStart(stack, true)), inquiry.out.exceptionName,
           fmt::format("stopped with {}", inquiry.out.exceptionName));
}

}  // namespace

void judgeException(Inquiry& inquiry, const Exception& exception) {
    const Process& process = inquiry.crash.process;
    // A machine and a Windows exception are a kernel dump: the exception is the bug check.
    if (process.system.os == Os::windows && inquiry.crash.snapshot.machine)
        inquiry.out.bugCheck = explainBugCheck(exception.code, exception.parameters);
    describeException(inquiry, exception);
    const Thread* thread = process.thread(exception.threadId);
    const NamedStack* stack = stackOf(inquiry, exception.threadId);
    const SignalWords words = signalWords(exception.code);
    const bool isSignal = process.system.os != Os::windows && process.system.os != Os::macos;
    const bool sent = sentByProcess(exception) &&
                      (exception.sender.has_value() || !exception.rawSignalInfo.empty());
    if (isSignal && sent && words.nature != SignalNature::abort) {
        judgeSent(inquiry, exception);
        return;
    }
    const bool hasContext = (exception.context && !exception.context->registers.empty()) ||
                            (thread != nullptr && thread->context);
    if (thread == nullptr || stack == nullptr || !hasContext) {
        inquiry.out.issues.loss(
            fmt::format("the registers of thread {}, which the exception is about, are "
                        "not in the dump",
                        exception.threadId));
        accuseNobody(inquiry, inquiry.out.exceptionName);
        inquiry.out.verdict.thread = exception.threadId;
        inquiry.out.verdict.summary =
            fmt::format("{} ({}) in thread {}; the dump does not show where.",
                        inquiry.out.exceptionName, inquiry.out.exceptionText, exception.threadId);
        return;
    }
    if (process.system.os == Os::windows) {
        judgeWindows(inquiry, exception, *thread, *stack);
        return;
    }
    if (process.system.os == Os::macos) {
        judgeMac(inquiry, exception, *thread, *stack);
        return;
    }
    switch (words.nature) {
    case SignalNature::fault: judgeFault(inquiry, exception, *thread, *stack); break;
    case SignalNature::abort: {
        const bool foreign = sentByProcess(exception) && exception.sender &&
                             *exception.sender != process.pid &&
                             exception.signalCode == signal_codes::user;
        if (foreign)
            judgeSent(inquiry, exception);
        else
            judgeAbort(inquiry, *thread, *stack);
        break;
    }
    case SignalNature::limit: {
        std::string happening = fmt::format("was ended by {}", inquiry.out.exceptionText);
        // siginfo of SIGSYS: the calling address at 16, the number of the system call at 24.
        if (exception.code == signals::sys && exception.rawSignalInfo.size() >= 28) {
            const auto number =
                loadInteger<std::int32_t>(exception.rawSignalInfo.span().data() + 24);
            happening = fmt::format("made system call {}, which a seccomp filter forbids", number);
            inquiry.out.findings.push_back({"A seccomp filter forbids the system call.",
                                            {fmt::format("system call {}", number)},
                                            Confidence::certain});
        }
        accuse(inquiry, *stack, findBlame(*stack), inquiry.out.exceptionName, happening);
        break;
    }
    case SignalNature::request:
        accuseNobody(inquiry, inquiry.out.exceptionName);
        inquiry.out.verdict.healthy = true;
        inquiry.out.verdict.thread = exception.threadId;
        inquiry.out.verdict.summary =
            fmt::format("The process got {} ({}); nothing points at a fault of the program. {}",
                        words.name, words.text, waitingText(inquiry));
        break;
    }
}

}  // namespace icecore
