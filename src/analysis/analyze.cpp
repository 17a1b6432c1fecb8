#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "analysis/abort_reason.h"
#include "analysis/analysis.h"
#include "analysis/blame.h"
#include "analysis/bucket_hash.h"
#include "analysis/bug_checks.h"
#include "analysis/crash_case.h"
#include "analysis/fault.h"
#include "analysis/mac_exception.h"
#include "analysis/waits.h"
#include "analysis/windows_exception.h"
#include "base/text.h"
#include "model/signals.h"
#include "unwind/call_site.h"
#include "unwind/image_memory.h"

namespace icecore {

std::string_view toString(Confidence confidence) {
    switch (confidence) {
    case Confidence::low: return "low";
    case Confidence::medium: return "medium";
    case Confidence::high: return "high";
    case Confidence::certain: return "certain";
    }
    return "low";
}

namespace {

std::string capitalized(std::string text) {
    if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
        text.front() = static_cast<char>(text.front() - 'a' + 'A');
    return text;
}

std::string counted(std::size_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// Builds one Analysis; each step adds to it.
class Analyst {
public:
    Analyst(const Snapshot& snapshot, const Symbolizer& symbolizer)
        : crash_{snapshot, *snapshot.process, symbolizer,
                 imageBackedMemory(*snapshot.process, symbolizer), nullptr} {
        auto disassembler = Disassembler::create(crash_.arch());
        if (disassembler)
            crash_.disassembler = std::move(*disassembler);
        else
            out_.issues.loss(disassembler.error());
    }

    Analysis run(const Unwinder& unwinder, Progress& progress);

private:
    void nameAll(const Unwinder& unwinder);
    void watchThreads();
    void describeException(const Exception& exception);
    void judgeException(const Exception& exception);
    void judgeFault(const Exception& exception, const Thread& thread, const NamedStack& stack);
    void judgeAbort(const Exception& exception, const Thread& thread, const NamedStack& stack);
    void judgeSent(const Exception& exception);
    void judgeWindows(const Exception& exception, const Thread& thread, const NamedStack& stack);
    void judgeMac(const Exception& exception, const Thread& thread, const NamedStack& stack);
    void judgeWithoutException();
    /// The caller of a stray jump is more than a guess when the call that made it has just been
    /// pushed: its return address is on top of the stack, and a call instruction precedes it.
    void proveCaller(const Registers& registers, const NamedStack& stack, Blame& blame) const;
    /// Fills symbol, module, image, bucket and the end of the summary from the blamed frame.
    void blame(const NamedStack& stack, const Blame& blame, std::string_view bucketHead,
               std::string_view happening, std::string_view message = {});
    void blameNobody(std::string bucketHead);
    /// "SIGSEGV_NULL_POINTER_WRITE" without the exception's name, where there is more.
    [[nodiscard]] std::string kindOf(std::string_view bucketHead) const;
    /// The frame's place for the bucket. A word of the stack that leads into code nobody has may as
    /// well point to data, whose place depends on the command line and the like: of it only the
    /// module counts.
    [[nodiscard]] std::string bucketPlace(const NamedFrame& frame) const;
    [[nodiscard]] const NamedStack* stackOf(std::uint64_t thread) const;
    [[nodiscard]] std::string waitingText() const;
    void reportHeldUp();
    void quoteProgram();

    CrashCase crash_;
    std::vector<Activity> activities_;
    Analysis out_;
};

const NamedStack* Analyst::stackOf(std::uint64_t thread) const {
    const auto found = std::ranges::find(out_.stacks, thread, &NamedStack::threadId);
    return found == out_.stacks.end() ? nullptr : &*found;
}

void Analyst::nameAll(const Unwinder& unwinder) {
    const Process& process = crash_.process;
    out_.stacks = nameStacks(process, unwinder, crash_.symbolizer);
    // The thread the exception is about stands where the exception says.
    const auto& exception = process.exception;
    if (exception && exception->context && !exception->context->registers.empty()) {
        const auto at = std::ranges::find(out_.stacks, exception->threadId, &NamedStack::threadId);
        if (at != out_.stacks.end()) {
            const Registers& registers = exception->context->registers;
            const Thread* thread = process.thread(exception->threadId);
            *at = nameStack(exception->threadId,
                            thread != nullptr ? unwinder.unwindFrom(*thread, registers)
                                              : unwinder.unwind(registers),
                            crash_.symbolizer);
        }
    }
}

void Analyst::watchThreads() {
    const Process& process = crash_.process;
    for (std::size_t i = 0; i < process.threads.size(); ++i)
        activities_.push_back(activityOf(crash_, process.threads[i], out_.stacks[i]));
    for (const Activity& activity : activities_)
        out_.activities.push_back(activity.text);
    out_.groups = groupThreads(out_.stacks, activities_);
    if (!process.exception) return;
    // The crashed thread's group leads.
    const auto own = std::ranges::find_if(out_.groups, [&](const ThreadGroup& group) {
        return std::ranges::any_of(group.members, [&](std::size_t member) {
            return out_.stacks[member].threadId == process.exception->threadId;
        });
    });
    if (own != out_.groups.end()) std::rotate(out_.groups.begin(), own, own + 1);
}

void Analyst::describeException(const Exception& exception) {
    if (out_.bugCheck) {
        out_.exceptionName = out_.bugCheck->name;
        out_.exceptionText = out_.bugCheck->text;
        return;
    }
    if (crash_.process.system.os == Os::windows) {
        const WindowsException words = readWindowsException(crash_, exception);
        out_.exceptionName = words.name;
        out_.exceptionText = words.text;
        return;
    }
    if (crash_.process.system.os == Os::macos) {
        const MacException words = readMacException(exception);
        out_.exceptionName = words.name;
        out_.exceptionText = words.text;
        return;
    }
    const SignalWords words = signalWords(exception.code);
    const SignalCodeWords code = signalCodeWords(exception.code, exception.signalCode);
    out_.exceptionName = words.name;
    out_.exceptionText = words.text;
    // Without siginfo a code of 0 means nothing.
    const bool told = exception.signalCode != 0 || !exception.rawSignalInfo.empty();
    if (!told) return;
    out_.exceptionCodeName = code.name;
    if (sentByProcess(exception) && exception.sender) {
        const bool self = *exception.sender == crash_.process.pid;
        out_.exceptionText += self ? ": raised by the process itself"
                                   : fmt::format(": sent by process {}", *exception.sender);
    } else if (!code.text.empty()) {
        out_.exceptionText += fmt::format(": {}", code.text);
    } else {
        out_.exceptionText += fmt::format(": code {}", exception.signalCode);
    }
}

std::string Analyst::bucketPlace(const NamedFrame& frame) const {
    std::array<std::byte, 1> before{};
    const bool guessed = frame.trust == Trust::scan && frame.function.empty() &&
                         frame.module != nullptr && frame.pc != 0 &&
                         crash_.memory->read(frame.pc - 1, before).bytes == 0;
    return guessed ? std::string(frame.module->shortName()) : placeText(frame);
}

std::string Analyst::kindOf(std::string_view bucketHead) const {
    const std::string_view name = out_.exceptionName;
    const bool more = bucketHead.size() > name.size() + 1 && bucketHead.starts_with(name) &&
                      bucketHead[name.size()] == '_' && !name.empty();
    return std::string(more ? bucketHead.substr(name.size() + 1) : bucketHead);
}

void Analyst::blame(const NamedStack& stack, const Blame& blame, std::string_view bucketHead,
                    std::string_view happening, std::string_view message) {
    Verdict& verdict = out_.verdict;
    verdict.thread = stack.threadId;
    verdict.kind = kindOf(bucketHead);
    std::string summary = capitalized(threadText(crash_.process, stack.threadId));
    summary += fmt::format(" {}", happening);
    if (!message.empty()) summary += fmt::format(" (\"{}\")", message);
    verdict.bucket = bucketHead;
    // An address in no module, without a name, is nobody to blame.
    const bool somebody = blame.frame && (stack.frames[*blame.frame].module != nullptr ||
                                          !stack.frames[*blame.frame].function.empty());
    if (somebody) {
        const NamedFrame& frame = stack.frames[*blame.frame];
        verdict.blamedFrame = blame.frame;
        verdict.followupIp = frame.pc;
        verdict.symbolName = placeText(frame);
        if (frame.module != nullptr) {
            verdict.moduleName = frame.module->shortName();
            verdict.imageName = frame.module->fileName();
        }
        verdict.bucket += "_" + bucketPlace(frame);
        std::string place = placeText(frame);
        if (!frame.file.empty()) {
            const auto slash = frame.file.find_last_of("/\\");
            place += fmt::format(" ({}:{})",
                                 frame.file.substr(slash == std::string::npos ? 0 : slash + 1),
                                 frame.line);
        }
        const bool guessed = (frame.trust == Trust::scan && !blame.proven) || !blame.certainRules;
        summary += fmt::format(", {}in {}", guessed ? "perhaps " : "", place);
        std::vector<std::string> evidence = {
            frame.trust == Trust::inlined
                ? fmt::format("frame {} at {}, an inlined call", *blame.frame, hex(frame.pc))
                : fmt::format("frame {} at {}, found by {}", *blame.frame, hex(frame.pc),
                              toString(frame.trust))};
        if (blame.skipped > 0) {
            evidence.push_back(
                fmt::format("{} above it passed over: run-time and library code that "
                            "works with what its caller gave it",
                            counted(blame.skipped, "frame")));
        }
        const Confidence confidence = guessed             ? Confidence::low
                                      : *blame.frame == 0 ? Confidence::high
                                                          : Confidence::medium;
        out_.findings.push_back({fmt::format("{} is held responsible.", frameText(frame)),
                                 std::move(evidence), confidence});
    } else {
        verdict.bucket += "_unknown";
        summary += "; the dump does not show in which function";
    }
    verdict.summary = summary + ".";
}

void Analyst::blameNobody(std::string bucketHead) {
    const Process& process = crash_.process;
    std::string name = process.name;
    if (!process.executable.empty()) {
        Module module;
        module.path = process.executable;
        name = module.shortName();
        out_.verdict.moduleName = module.shortName();
        out_.verdict.imageName = module.fileName();
    }
    out_.verdict.kind = kindOf(bucketHead);
    out_.verdict.bucket = std::move(bucketHead) + (name.empty() ? "" : "_" + name);
}

void Analyst::proveCaller(const Registers& registers, const NamedStack& stack, Blame& blame) const {
    const std::uint64_t returnAddress = stack.frames[*blame.frame].pc;
    const auto link = archInfo(crash_.arch()).lr;
    const auto onTop = link ? registers.get(*link) : crash_.readPointer(registers.sp());
    if (!onTop || stripPointer(crash_.arch(), *onTop) != returnAddress) return;
    std::array<std::byte, maxCallSize> before{};
    if (returnAddress < before.size() ||
        crash_.memory->read(returnAddress - before.size(), before).bytes != before.size())
        return;
    if (!callEndingAt(crash_.arch(), returnAddress, before)) return;
    blame.proven = true;
    blame.proof =
        fmt::format("its return address {} is {}, behind a call instruction", hex(returnAddress),
                    link ? "in the link register" : "on top of the stack");
}

void Analyst::judgeFault(const Exception& exception, const Thread& thread,
                         const NamedStack& stack) {
    const Registers& registers = exception.context && !exception.context->registers.empty()
                                     ? exception.context->registers
                                     : thread.context->registers;
    FaultDiagnosis diagnosis = diagnoseFault(crash_, exception, registers, stack);
    for (Finding& finding : diagnosis.findings)
        out_.findings.push_back(std::move(finding));
    out_.fault = std::move(diagnosis.fault);
    std::size_t first = 0;
    if (diagnosis.strayJump) {
        // The frame of the stray address itself is nobody's.
        while (first < stack.frames.size() && stack.frames[first].physical == 0)
            ++first;
        if (first >= stack.frames.size()) first = 0;
    }
    Blame found = findBlame(stack, first);
    if (diagnosis.strayJump && found.frame == first) proveCaller(registers, stack, found);
    if (diagnosis.stackExhausted) {
        // Where in the recursion the stack ran out is chance; its most frequent member is not.
        const std::string_view marker = " through ";
        const auto at = diagnosis.happening.rfind(marker);
        if (at != std::string::npos) {
            const std::string_view place =
                std::string_view(diagnosis.happening).substr(at + marker.size());
            for (std::size_t i = 0; i < stack.frames.size(); ++i) {
                if (stack.frames[i].trust == Trust::inlined || placeText(stack.frames[i]) != place)
                    continue;
                found = Blame();
                found.frame = i;
                found.certainRules = true;
                found.skipped = i;
                break;
            }
        }
    }
    // STATUS_STACK_OVERFLOW need not be told that it is a STACK_OVERFLOW.
    const bool said = out_.exceptionName.ends_with(diagnosis.kind);
    blame(stack, found, out_.exceptionName + (said ? "" : "_" + diagnosis.kind),
          diagnosis.happening);
}

void Analyst::judgeAbort(const Exception& exception, const Thread& thread,
                         const NamedStack& stack) {
    (void)exception;
    AbortReason reason = findAbortReason(crash_, thread, stack);
    for (Finding& finding : reason.findings)
        out_.findings.push_back(std::move(finding));
    blame(stack, findBlame(stack, blameStart(stack, true)), out_.exceptionName + "_" + reason.kind,
          reason.happening, reason.message);
}

void Analyst::judgeSent(const Exception& exception) {
    const Process& process = crash_.process;
    const SignalWords words = signalWords(exception.code);
    const bool self = exception.sender && *exception.sender == process.pid;
    out_.verdict.thread = exception.threadId;
    std::string by = !exception.sender ? std::string("somebody")
                     : self            ? std::string("itself")
                                       : fmt::format("process {}", *exception.sender);
    std::vector<std::string> evidence = {
        fmt::format("si_code {} ({})", exception.signalCode,
                    signalCodeWords(exception.code, exception.signalCode).name)};
    if (exception.sender) evidence.push_back(fmt::format("sender {}", *exception.sender));
    if (self) {
        const NamedStack* stack = stackOf(exception.threadId);
        out_.findings.push_back({fmt::format("The process sent {} to itself.", words.name),
                                 evidence, Confidence::certain});
        if (stack != nullptr && !stack->frames.empty()) {
            blame(*stack, findBlame(*stack, blameStart(*stack, true)),
                  out_.exceptionName + "_RAISED", fmt::format("raised {}", words.name));
            return;
        }
    }
    out_.findings.push_back(
        {fmt::format("{} was sent by {}: nothing the program executed caused it.", words.name, by),
         std::move(evidence), Confidence::certain});
    blameNobody(out_.exceptionName + "_SENT");
    out_.verdict.healthy = !self;
    out_.verdict.summary =
        fmt::format("{} ({}) was sent by {}; nothing points at a fault of the program. {}",
                    words.name, words.text, by, waitingText());
}

/// What the processor refused is diagnosed like any fault; the rest the program raised itself.
void Analyst::judgeWindows(const Exception& exception, const Thread& thread,
                           const NamedStack& stack) {
    if (out_.bugCheck) {
        out_.bugCheck->driver = bugCheckingDriver(exception, stack);
        out_.findings.push_back(
            {fmt::format("Bug check {}: {}.", out_.bugCheck->name, out_.bugCheck->text),
             out_.bugCheck->parameters, Confidence::certain});
        blame(stack, findBlame(stack), out_.bugCheck->name,
              fmt::format("stopped the system, {}", out_.bugCheck->name));
        return;
    }
    if (const auto fault = asSignal(crash_.process, exception)) {
        judgeFault(*fault, thread, stack);
        return;
    }
    WindowsException words = readWindowsException(crash_, exception);
    for (Finding& finding : words.findings)
        out_.findings.push_back(std::move(finding));
    blame(stack, findBlame(stack), words.name + (words.kind.empty() ? "" : "_" + words.kind),
          words.happening);
}

void Analyst::judgeMac(const Exception& exception, const Thread& thread, const NamedStack& stack) {
    if (const auto fault = macSignal(exception)) {
        judgeFault(*fault, thread, stack);
        return;
    }
    blame(stack, findBlame(stack, blameStart(stack, true)), out_.exceptionName,
          fmt::format("stopped with {}", out_.exceptionName));
}

void Analyst::judgeException(const Exception& exception) {
    const Process& process = crash_.process;
    // A machine and a Windows exception are a kernel dump: the exception is the bug check.
    if (process.system.os == Os::windows && crash_.snapshot.machine)
        out_.bugCheck = explainBugCheck(exception.code, exception.parameters);
    describeException(exception);
    const Thread* thread = process.thread(exception.threadId);
    const NamedStack* stack = stackOf(exception.threadId);
    const SignalWords words = signalWords(exception.code);
    const bool isSignal = process.system.os != Os::windows && process.system.os != Os::macos;
    const bool sent = sentByProcess(exception) &&
                      (exception.sender.has_value() || !exception.rawSignalInfo.empty());
    if (isSignal && sent && words.nature != SignalNature::abort) {
        judgeSent(exception);
        return;
    }
    const bool hasContext = (exception.context && !exception.context->registers.empty()) ||
                            (thread != nullptr && thread->context);
    if (thread == nullptr || stack == nullptr || !hasContext) {
        out_.issues.loss(
            fmt::format("the registers of thread {}, which the exception is about, are "
                        "not in the dump",
                        exception.threadId));
        blameNobody(out_.exceptionName);
        out_.verdict.thread = exception.threadId;
        out_.verdict.summary =
            fmt::format("{} ({}) in thread {}; the dump does not show where.", out_.exceptionName,
                        out_.exceptionText, exception.threadId);
        return;
    }
    if (process.system.os == Os::windows) {
        judgeWindows(exception, *thread, *stack);
        return;
    }
    if (process.system.os == Os::macos) {
        judgeMac(exception, *thread, *stack);
        return;
    }
    switch (words.nature) {
    case SignalNature::fault: judgeFault(exception, *thread, *stack); break;
    case SignalNature::abort: {
        const bool foreign = sentByProcess(exception) && exception.sender &&
                             *exception.sender != process.pid &&
                             exception.signalCode == signal_codes::user;
        if (foreign)
            judgeSent(exception);
        else
            judgeAbort(exception, *thread, *stack);
        break;
    }
    case SignalNature::limit: {
        std::string happening = fmt::format("was ended by {}", out_.exceptionText);
        // siginfo of SIGSYS: the calling address at 16, the number of the system call at 24.
        if (exception.code == signals::sys && exception.rawSignalInfo.size() >= 28) {
            const auto number =
                loadInteger<std::int32_t>(exception.rawSignalInfo.span().data() + 24);
            happening = fmt::format("made system call {}, which a seccomp filter forbids", number);
            out_.findings.push_back({"A seccomp filter forbids the system call.",
                                     {fmt::format("system call {}", number)},
                                     Confidence::certain});
        }
        blame(*stack, findBlame(*stack), out_.exceptionName, happening);
        break;
    }
    case SignalNature::request:
        blameNobody(out_.exceptionName);
        out_.verdict.healthy = true;
        out_.verdict.thread = exception.threadId;
        out_.verdict.summary =
            fmt::format("The process got {} ({}); nothing points at a fault of the program. {}",
                        words.name, words.text, waitingText());
        break;
    }
}

/// "3 threads: 2 waiting on a condition variable, 1 running."
std::string Analyst::waitingText() const {
    const Process& process = crash_.process;
    if (process.threads.empty()) return "The dump lists no threads.";
    std::map<std::string, std::size_t> counts;
    for (const Activity& activity : activities_) {
        std::string text = activity.text.empty() ? std::string("at work") : activity.text;
        text.resize(std::min(text.find(" held by "), text.size()));
        ++counts[text];
    }
    std::vector<std::pair<std::string, std::size_t>> order(counts.begin(), counts.end());
    std::ranges::stable_sort(order, std::ranges::greater{},
                             &std::pair<std::string, std::size_t>::second);
    std::vector<std::string> parts;
    parts.reserve(order.size());
    for (const auto& [text, count] : order)
        parts.push_back(fmt::format("{} {}", count, text));
    return fmt::format("{}: {}.", counted(process.threads.size(), "thread"),
                       fmt::join(parts, ", "));
}

/// Threads that wait for one that does something else: no deadlock, and still worth saying.
void Analyst::reportHeldUp() {
    const Process& process = crash_.process;
    std::map<std::uint64_t, std::vector<std::size_t>> waiting;
    for (std::size_t i = 0; i < activities_.size(); ++i) {
        if (activities_[i].mutex && activities_[i].waitsFor)
            waiting[*activities_[i].waitsFor].push_back(i);
    }
    for (const auto& [owner, members] : waiting) {
        Finding finding;
        const auto at = std::ranges::find(process.threads, owner, &Thread::id);
        const auto index = static_cast<std::size_t>(at - process.threads.begin());
        const bool known = index < activities_.size() && !activities_[index].text.empty();
        finding.claim = fmt::format(
            "{} held up by {}{}.",
            members.size() == 1 ? std::string("A thread is")
                                : counted(members.size(), "thread") + " are",
            threadText(process, owner), known ? ", which is " + activities_[index].text : "");
        for (const std::size_t member : members)
            finding.evidence.push_back(activities_[member].evidence);
        finding.confidence = Confidence::high;
        out_.findings.push_back(std::move(finding));
    }
}

/// What the program itself left in the dump for whoever reads it.
void Analyst::quoteProgram() {
    constexpr std::size_t mostLines = 32;
    if (const SharedBytes* assertion = crash_.snapshot.attachment("assertion")) {
        out_.findings.push_back({"The program says that an assertion of its failed.",
                                 {std::string(assertion->text())},
                                 Confidence::certain});
    }
    const auto quote = [&](std::string_view attachment, std::string claim) {
        const SharedBytes* text = crash_.snapshot.attachment(attachment);
        if (text == nullptr) return;
        Finding finding{std::move(claim), {}, Confidence::certain};
        for (const std::string_view line : split(text->text(), '\n')) {
            if (line.empty() || finding.evidence.size() == mostLines) continue;
            finding.evidence.emplace_back(line);
        }
        if (!finding.evidence.empty()) out_.findings.push_back(std::move(finding));
    };
    quote("macos/crash_info", "Libraries left words for macOS' crash reporter.");
    quote("annotations", "The program attached notes to the dump.");
}

void Analyst::judgeWithoutException() {
    const Process& process = crash_.process;
    const auto circles = findDeadlocks(process, activities_);
    if (circles.empty()) {
        reportHeldUp();
        blameNobody("NO_EXCEPTION");
        out_.verdict.healthy = true;
        out_.verdict.summary =
            "No exception is recorded and nothing points at a fault. " + waitingText();
        if (!process.threads.empty()) out_.verdict.thread = process.threads[0].id;
        return;
    }
    for (const auto& circle : circles) {
        Finding finding;
        finding.confidence = Confidence::certain;
        std::vector<std::string> names;
        for (const std::size_t member : circle) {
            names.push_back(threadText(process, process.threads[member].id));
            finding.evidence.push_back(activities_[member].evidence);
        }
        finding.claim =
            circle.size() == 1
                ? fmt::format("Deadlock: {} waits for what it holds itself.", names.front())
                : fmt::format("Deadlock: {} wait for each other in a circle.",
                              fmt::join(names, " and "));
        out_.findings.push_back(std::move(finding));
    }
    // The place in the bucket must not depend on which thread came first: the smallest name.
    const NamedStack* chosen = nullptr;
    Blame chosenBlame;
    std::string place;
    for (const std::size_t member : circles.front()) {
        const NamedStack& stack = out_.stacks[member];
        const Blame found = findBlame(stack);
        if (!found.frame) continue;
        const std::string candidate = placeText(stack.frames[*found.frame]);
        if (chosen != nullptr && candidate >= place) continue;
        chosen = &stack;
        chosenBlame = found;
        place = candidate;
    }
    const std::string others =
        circles.front().size() == 1
            ? std::string("which it holds itself")
            : fmt::format("in a circle of {}", counted(circles.front().size(), "thread"));
    if (chosen != nullptr) {
        blame(*chosen, chosenBlame, "DEADLOCK", "is deadlocked " + others);
    } else {
        blameNobody("DEADLOCK");
        out_.verdict.summary = out_.findings.front().claim;
    }
}

Analysis Analyst::run(const Unwinder& unwinder, Progress& progress) {
    const Process& process = crash_.process;
    progress.begin("stacks", process.threads.size());
    nameAll(unwinder);
    progress.advance(process.threads.size());
    progress.end();
    watchThreads();
    for (const Module& module : process.modules)
        out_.symbols.push_back(crash_.symbolizer.module(module).kind);
    if (process.exception)
        judgeException(*process.exception);
    else
        judgeWithoutException();
    quoteProgram();
    out_.verdict.hash = bucketHash(out_.verdict.bucket, out_.bugCheck.has_value());
    std::ranges::stable_sort(out_.findings, std::ranges::greater{}, &Finding::confidence);
    out_.issues.append(crash_.snapshot.issues);
    return std::move(out_);
}

}  // namespace

Analysis analyze(const Snapshot& snapshot, const Unwinder& unwinder, const Symbolizer& symbolizer,
                 Progress& progress) {
    return Analyst(snapshot, symbolizer).run(unwinder, progress);
}

}  // namespace icecore
