// From a frame that is to blame to the words of a verdict.
#include <fmt/format.h>

#include <array>

#include "analysis/inquiry.h"
#include "base/how_many.h"
#include "base/text.h"

namespace icecore {

namespace {

std::string capitalized(std::string text) {
    if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
        text.front() = static_cast<char>(text.front() - 'a' + 'A');
    return text;
}

/// The frame's place for the bucket. A word of the stack that leads into code nobody has may as
/// well point to data, whose place depends on the command line and the like: of it only the
/// module counts.
std::string bucketPlace(const CrashCase& crash, const NamedFrame& frame) {
    std::array<std::byte, 1> before{};
    const bool guessed = frame.trust == Trust::scan && frame.function.empty() &&
                         frame.module != nullptr && frame.pc != 0 &&
                         crash.memory->read(frame.pc - 1, before).bytes == 0;
    return guessed ? std::string(frame.module->shortName()) : placeText(frame);
}

/// "SIGSEGV_NULL_POINTER_WRITE" without the exception's name, where there is more.
std::string kindOf(const Inquiry& inquiry, std::string_view bucketHead) {
    const std::string_view name = inquiry.out.exceptionName;
    const bool more = bucketHead.size() > name.size() + 1 && bucketHead.starts_with(name) &&
                      bucketHead[name.size()] == '_' && !name.empty();
    return std::string(more ? bucketHead.substr(name.size() + 1) : bucketHead);
}

}  // namespace

void accuse(Inquiry& inquiry, const NamedStack& stack, const Blame& blame,
            std::string_view bucketHead, std::string_view happening, std::string_view message) {
    Verdict& verdict = inquiry.out.verdict;
    verdict.thread = stack.threadId;
    verdict.kind = kindOf(inquiry, bucketHead);
    std::string summary = capitalized(threadText(inquiry.crash.process, stack.threadId));
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
        verdict.bucket += "_" + bucketPlace(inquiry.crash, frame);
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
                            howMany(blame.skipped, "frame")));
        }
        const Confidence confidence = guessed             ? Confidence::low
                                      : *blame.frame == 0 ? Confidence::high
                                                          : Confidence::medium;
        inquiry.out.findings.push_back({fmt::format("{} is held responsible.", frameText(frame)),
                                        std::move(evidence), confidence});
    } else {
        verdict.bucket += "_unknown";
        summary += "; the dump does not show in which function";
    }
    verdict.summary = summary + ".";
}

void accuseNobody(Inquiry& inquiry, std::string bucketHead) {
    const Process& process = inquiry.crash.process;
    std::string name = process.name;
    if (!process.executable.empty()) {
        Module module;
        module.path = process.executable;
        name = module.shortName();
        inquiry.out.verdict.moduleName = module.shortName();
        inquiry.out.verdict.imageName = module.fileName();
    }
    inquiry.out.verdict.kind = kindOf(inquiry, bucketHead);
    inquiry.out.verdict.bucket = std::move(bucketHead) + (name.empty() ? "" : "_" + name);
}

}  // namespace icecore
