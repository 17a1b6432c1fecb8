#include <algorithm>

#include "analysis/bucket_hash.h"
#include "analysis/inquiry.h"
#include "base/text.h"
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

/// The thread the exception is about stands where the exception says.
void nameAll(Inquiry& inquiry, const Unwinder& unwinder) {
    const Process& process = inquiry.crash.process;
    inquiry.out.stacks = nameStacks(process, unwinder, inquiry.crash.symbolizer);
    const auto& exception = process.exception;
    if (exception && exception->context && !exception->context->registers.empty()) {
        const auto at =
            std::ranges::find(inquiry.out.stacks, exception->threadId, &NamedStack::threadId);
        if (at != inquiry.out.stacks.end()) {
            const Registers& registers = exception->context->registers;
            const Thread* thread = process.thread(exception->threadId);
            *at = nameStack(exception->threadId,
                            thread != nullptr ? unwinder.unwindFrom(*thread, registers)
                                              : unwinder.unwind(registers),
                            inquiry.crash.symbolizer);
        }
    }
}

void watchThreads(Inquiry& inquiry) {
    const Process& process = inquiry.crash.process;
    for (std::size_t i = 0; i < process.threads.size(); ++i)
        inquiry.activities.push_back(
            activityOf(inquiry.crash, process.threads[i], inquiry.out.stacks[i]));
    for (const Activity& activity : inquiry.activities)
        inquiry.out.activities.push_back(activity.text);
    inquiry.out.groups = groupThreads(inquiry.out.stacks, inquiry.activities);
    if (!process.exception) return;
    // The crashed thread's group leads.
    const auto own = std::ranges::find_if(inquiry.out.groups, [&](const ThreadGroup& group) {
        return std::ranges::any_of(group.members, [&](std::size_t member) {
            return inquiry.out.stacks[member].threadId == process.exception->threadId;
        });
    });
    if (own != inquiry.out.groups.end()) std::rotate(inquiry.out.groups.begin(), own, own + 1);
}

/// What the program itself left in the dump for whoever reads it.
void quoteProgram(Inquiry& inquiry) {
    constexpr std::size_t mostLines = 32;
    if (const SharedBytes* assertion = inquiry.crash.snapshot.attachment("assertion")) {
        inquiry.out.findings.push_back({"The program says that an assertion of its failed.",
                                        {std::string(assertion->text())},
                                        Confidence::certain});
    }
    const auto quote = [&](std::string_view attachment, std::string claim) {
        const SharedBytes* text = inquiry.crash.snapshot.attachment(attachment);
        if (text == nullptr) return;
        Finding finding{std::move(claim), {}, Confidence::certain};
        for (const std::string_view line : split(text->text(), '\n')) {
            if (line.empty() || finding.evidence.size() == mostLines) continue;
            finding.evidence.emplace_back(line);
        }
        if (!finding.evidence.empty()) inquiry.out.findings.push_back(std::move(finding));
    };
    quote("macos/crash_info", "Libraries left words for macOS' crash reporter.");
    quote("annotations", "The program attached notes to the dump.");
}

}  // namespace

Analysis analyze(const Snapshot& snapshot, const Unwinder& unwinder, const Symbolizer& symbolizer,
                 Progress& progress) {
    const Process& process = *snapshot.process;
    Inquiry inquiry{
        {snapshot, process, symbolizer, imageBackedMemory(process, symbolizer), nullptr}, {}, {}};
    if (auto disassembler = Disassembler::create(process.system.arch))
        inquiry.crash.disassembler = std::move(*disassembler);
    else
        inquiry.out.issues.loss(disassembler.error());
    progress.begin("stacks", process.threads.size());
    nameAll(inquiry, unwinder);
    progress.advance(process.threads.size());
    progress.end();
    watchThreads(inquiry);
    for (const Module& module : process.modules)
        inquiry.out.symbols.push_back(inquiry.crash.symbolizer.module(module).kind);
    if (process.exception)
        judgeException(inquiry, *process.exception);
    else
        judgeWithoutException(inquiry);
    quoteProgram(inquiry);
    inquiry.out.verdict.hash =
        bucketHash(inquiry.out.verdict.bucket, inquiry.out.bugCheck.has_value());
    std::ranges::stable_sort(inquiry.out.findings, std::ranges::greater{}, &Finding::confidence);
    inquiry.out.issues.append(inquiry.crash.snapshot.issues);
    return std::move(inquiry.out);
}

}  // namespace icecore
