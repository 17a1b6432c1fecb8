#include "views/analysis_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/time_text.h"
#include "views/text_writer.h"

namespace icecore {

namespace {

class Report {
public:
    Report(const Snapshot& snapshot, const Analysis& analysis, const TextStyle& style)
        : snapshot_(snapshot),
          process_(*snapshot.process),
          analysis_(analysis),
          style_(style),
          out_(style.color, style.width) {}

    std::string write();

private:
    void verdict();
    void facts();
    void threads();
    void findings();
    void modules();
    void issues();
    void group(const ThreadGroup& group);
    void frames(const NamedStack& stack);
    void frame(const NamedFrame& frame, std::size_t index, bool blamed);
    [[nodiscard]] std::string nameOf(std::size_t member) const;
    [[nodiscard]] bool crashed(std::size_t member) const;

    const Snapshot& snapshot_;
    const Process& process_;
    const Analysis& analysis_;
    const TextStyle& style_;
    TextWriter out_;
};

std::string Report::nameOf(std::size_t member) const {
    const std::uint64_t id = analysis_.stacks[member].threadId;
    const Thread* thread = process_.thread(id);
    return thread == nullptr || thread->name.empty() ? fmt::format("{}", id)
                                                     : fmt::format("{} ({})", id, thread->name);
}

bool Report::crashed(std::size_t member) const {
    return process_.exception && process_.exception->threadId == analysis_.stacks[member].threadId;
}

void Report::verdict() {
    const Verdict& verdict = analysis_.verdict;
    const Ink ink = verdict.healthy ? Ink::good : Ink::bad;
    if (!analysis_.exceptionName.empty())
        out_.paragraph(fmt::format("{}: {}", analysis_.exceptionName, analysis_.exceptionText),
                       ink);
    out_.paragraph(verdict.summary, Ink::strong);
    out_.blank();
}

void Report::facts() {
    const Verdict& verdict = analysis_.verdict;
    out_.fact("Bucket", verdict.bucket);
    if (verdict.blamedFrame) {
        std::string blamed = verdict.symbolName;
        if (verdict.followupIp) blamed += fmt::format(" at {}", hex(*verdict.followupIp));
        if (!verdict.imageName.empty()) blamed += ", " + verdict.imageName;
        out_.fact("Blamed", blamed);
    }
    if (const auto& fault = analysis_.fault) {
        if (const auto& instruction = fault->instruction) {
            out_.fact("Instruction", fmt::format("{}: {} {}", hex(instruction->address),
                                                 instruction->mnemonic, instruction->operands));
        }
        if (!fault->operand.empty()) {
            out_.fact("Operand", fault->operand +
                                     (fault->registers.empty() ? "" : " with " + fault->registers));
        }
        if (fault->address) {
            const std::string_view access =
                fault->access == AccessKind::unknown ? "" : toString(fault->access);
            out_.fact("Fault address", fmt::format("{}{}{}", hex(*fault->address),
                                                   access.empty() ? "" : ", ", access));
        }
    }
    const Provenance& from = snapshot_.provenance;
    std::string dump = fmt::format("{} ({}, {}", from.path, from.format, humanBytes(from.bytes));
    if (from.time) dump += ", taken " + timeText(*from.time);
    out_.fact("Dump", dump + ")");
    std::string process =
        fmt::format("{}pid {}", process_.name.empty() ? "" : process_.name + ", ", process_.pid);
    if (!process_.commandLine.empty()) {
        process += ": ";
        process += fmt::format("{}", fmt::join(process_.commandLine, " "));
    }
    out_.fact("Process", process);
    const SystemInfo& system = process_.system;
    std::string text = fmt::format("{} {}", toString(system.os), toString(system.arch));
    for (const std::string& more : {system.distribution, system.version}) {
        if (!more.empty()) text += ", " + more;
    }
    out_.fact("System", text);
    out_.blank();
}

void Report::frame(const NamedFrame& frame, std::size_t index, bool blamed) {
    std::string place = frame.module != nullptr ? std::string(frame.module->shortName()) : "";
    if (frame.function.empty()) {
        place =
            place.empty() ? hex(frame.pc) : fmt::format("{}+{}", place, hex(frame.moduleOffset));
    } else {
        place += fmt::format("{}{}", place.empty() ? "" : "!", frame.function);
        if (frame.functionOffset != 0 && frame.trust != Trust::inlined)
            place += "+" + hex(frame.functionOffset);
    }
    std::string source;
    if (!frame.file.empty()) source = fmt::format("{}:{}", frame.file, frame.line);
    std::string_view mark;
    Ink ink = blamed ? Ink::bad : Ink::plain;
    switch (frame.trust) {
    case Trust::scan:
        mark = "(a guess: found by scanning)";
        ink = Ink::faint;
        break;
    case Trust::frame_pointer: mark = "(by frame pointer)"; break;
    case Trust::shadow_stack: mark = "(by the shadow stack)"; break;
    case Trust::inlined: mark = "(inline)"; break;
    default: break;
    }
    if (frame.signalFrame) mark = "(signal handler called)";
    out_.frame(fmt::format("{}{:>3}", blamed ? '>' : ' ', index), place, source, mark, ink);
}

void Report::frames(const NamedStack& stack) {
    const bool own = analysis_.verdict.thread == stack.threadId;
    const std::size_t shown = std::min(stack.frames.size(), style_.frames);
    for (std::size_t i = 0; i < shown; ++i)
        frame(stack.frames[i], i, own && analysis_.verdict.blamedFrame == i);
    if (shown < stack.frames.size())
        out_.line(fmt::format("     … and {} more frames", stack.frames.size() - shown),
                  Ink::faint);
    if (stack.frames.empty())
        out_.line("     no frames: its registers are not in the dump", Ink::faint);
    if (stack.stack.end != StackEnd::complete && !stack.stack.note.empty())
        out_.line("     " + stack.stack.note, Ink::faint);
    out_.blank();
}

void Report::group(const ThreadGroup& group) {
    std::string title;
    if (group.members.size() == 1) {
        title = "Thread " + nameOf(group.members.front());
    } else {
        constexpr std::size_t named = 8;
        title = fmt::format("{} threads at the same place: ", group.members.size());
        for (std::size_t i = 0; i < std::min(group.members.size(), named); ++i)
            title += (i == 0 ? "" : ", ") + nameOf(group.members[i]);
        if (group.members.size() > named)
            title += fmt::format(", and {} more", group.members.size() - named);
    }
    const auto culprit =
        std::ranges::find_if(group.members, [&](std::size_t m) { return crashed(m); });
    const bool hasCrashed = culprit != group.members.end();
    if (hasCrashed) {
        title += group.members.size() == 1 ? ", crashed"
                                           : fmt::format(", of which {} crashed", nameOf(*culprit));
    } else if (!group.activity.empty()) {
        title += ", " + group.activity;
    }
    out_.paragraph(title, hasCrashed && !analysis_.verdict.healthy ? Ink::bad : Ink::heading);
    frames(analysis_.stacks[hasCrashed ? *culprit : group.members.front()]);
}

void Report::threads() {
    for (const ThreadGroup& each : analysis_.groups) {
        if (!style_.thread) {
            group(each);
            continue;
        }
        for (const std::size_t member : each.members) {
            if (analysis_.stacks[member].threadId == *style_.thread)
                group({{member}, each.activity});
        }
    }
}

void Report::findings() {
    if (analysis_.findings.empty()) return;
    out_.paragraph("Findings", Ink::heading);
    for (const Finding& finding : analysis_.findings) {
        out_.item(fmt::format("{} [{}]", finding.claim, toString(finding.confidence)), 2);
        for (const std::string& evidence : finding.evidence)
            out_.item(evidence, 4, Ink::faint);
    }
    out_.blank();
}

void Report::modules() {
    if (process_.modules.empty()) return;
    out_.paragraph(fmt::format("Modules ({})", process_.modules.size()), Ink::heading);
    const int digits = archInfo(process_.system.arch).pointerSize == 4 ? 8 : 12;
    for (std::size_t i = 0; i < process_.modules.size(); ++i) {
        const Module& module = process_.modules[i];
        const SymbolKind kind =
            i < analysis_.symbols.size() ? analysis_.symbols[i] : SymbolKind::none;
        const Ink ink = kind == SymbolKind::mismatch ? Ink::bad
                        : kind == SymbolKind::none   ? Ink::faint
                                                     : Ink::plain;
        out_.line(fmt::format("  {}-{}  {:<8}  {}", hexDigits(module.range.begin(), digits),
                              hexDigits(module.range.end(), digits), toString(kind), module.path),
                  ink);
    }
    out_.blank();
}

void Report::issues() {
    if (analysis_.issues.empty()) return;
    out_.paragraph("What is missing or odd in this dump", Ink::heading);
    for (const Issue& issue : analysis_.issues.items())
        out_.item((issue.severity == Severity::loss ? "lost: " : "note: ") + issue.describe(), 2);
    if (analysis_.issues.dropped() > 0)
        out_.item(fmt::format("and {} more", analysis_.issues.dropped()), 2);
    out_.blank();
}

std::string Report::write() {
    verdict();
    facts();
    threads();
    if (!style_.thread) {
        findings();
        modules();
        issues();
    }
    return out_.take();
}

}  // namespace

std::string analysisText(const Snapshot& snapshot, const Analysis& analysis,
                         const TextStyle& style) {
    return Report(snapshot, analysis, style).write();
}

}  // namespace icecore
