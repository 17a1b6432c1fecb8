#include "formats/elfcore/core_note_writer.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "arch/xsave.h"
#include "base/range.h"
#include "base/text.h"
#include "bytes/elf_layout.h"
#include "formats/elfcore/core_layout.h"
#include "formats/elfcore/core_notes.h"
#include "formats/elfcore/core_registers.h"
#include "formats/elfcore/own_notes.h"

namespace icecore::elfcore {

namespace {

constexpr std::string_view coreName = "CORE";
constexpr std::string_view linuxName = "LINUX";
constexpr std::uint64_t noteAlignment = 4;

TimeValue<Le64> timeValue(std::optional<std::chrono::nanoseconds> time) {
    TimeValue<Le64> value;
    const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(
        time.value_or(std::chrono::nanoseconds(0)));
    value.seconds = static_cast<std::uint64_t>(whole.count() / 1'000'000);
    value.microseconds = static_cast<std::uint64_t>(whole.count() % 1'000'000);
    return value;
}

template <std::size_t N>
void setText(char (&field)[N], std::string_view text) {
    std::memset(field, 0, N);
    text.copy(field, N - 1);
}

std::vector<std::byte> prStatus(const Process& process, const Thread& thread) {
    PrStatus64 status{};
    const auto signal = static_cast<std::uint32_t>(thread.currentSignal);
    status.info.number = signal;
    status.currentSignal = static_cast<std::uint16_t>(signal);
    status.pending = thread.pendingSignals;
    status.held = thread.blockedSignals;
    status.pid = static_cast<std::uint32_t>(thread.id);
    status.parentPid = static_cast<std::uint32_t>(process.parentPid);
    status.processGroup = static_cast<std::uint32_t>(process.processGroup);
    status.session = static_cast<std::uint32_t>(process.session);
    status.user = timeValue(thread.userTime);
    status.system = timeValue(thread.kernelTime);
    std::vector<std::byte> out;
    const auto start = bytesOf(status);
    out.assign(start.begin(), start.end());
    const Registers registers =
        thread.context ? thread.context->registers : Registers(process.system.arch);
    appendRegisters(out, registers);
    const bool floatingPoint = thread.context && !thread.context->floatingPoint.empty();
    appendInteger(out, std::uint32_t{floatingPoint ? 1U : 0U});
    appendInteger(out, std::uint32_t{0});
    return out;
}

/// Field 9 of /proc/PID/stat: the task's flags (PF_…). The name in field 2 may hold anything.
std::uint64_t taskFlags(const Snapshot& snapshot) {
    const SharedBytes* stat = snapshot.attachment("linux/stat");
    if (stat == nullptr) return 0;
    const std::string_view text = stat->text();
    const std::size_t end = text.rfind(')');
    if (end == std::string_view::npos) return 0;
    const auto fields = splitBlanks(text.substr(end + 1));
    return fields.size() > 6 ? parseDecimal(fields[6]).value_or(0) : 0;
}

PrPsInfo64 prPsInfo(const Snapshot& snapshot, const SavePlan& plan) {
    const Process& process = *snapshot.process;
    const Thread* leader = process.thread(process.pid);
    PrPsInfo64 info{};
    // Linux, fs/binfmt_elf.c: the index of the state's letter; anything else is '.'.
    constexpr std::string_view letters = "RSDTZW";
    const char letter = leader != nullptr && leader->state != 0 ? leader->state : 'R';
    const std::size_t state = letters.find(letter);
    info.state =
        static_cast<std::uint8_t>(state == std::string_view::npos ? letters.size() : state);
    info.stateLetter = state == std::string_view::npos ? '.' : letter;
    info.zombie = letter == 'Z' ? 1 : 0;
    info.nice = static_cast<std::int8_t>(
        leader != nullptr ? std::clamp(leader->priority.value_or(0), -128, 127) : 0);
    info.flags = taskFlags(snapshot);
    info.uid = process.uid.value_or(0);
    info.gid = process.gid.value_or(0);
    info.pid = static_cast<std::uint32_t>(process.pid);
    info.parentPid = static_cast<std::uint32_t>(process.parentPid);
    info.processGroup = static_cast<std::uint32_t>(process.processGroup);
    info.session = static_cast<std::uint32_t>(process.session);
    setText(info.name, process.name);
    std::string arguments;
    for (const std::string& argument : process.commandLine) {
        if (!plan.arguments) break;
        if (!arguments.empty()) arguments += ' ';
        arguments += argument;
        if (arguments.size() > sizeof info.arguments) break;
    }
    setText(info.arguments, arguments);
    return info;
}

/// siginfo_t of the event; all zero (no signal) when there was none.
std::vector<std::byte> signalInfo(const Process& process) {
    std::vector<std::byte> info(signalInfoSize);
    if (!process.exception) return info;
    const Exception& exception = *process.exception;
    if (const auto raw = exception.rawSignalInfo.span(); !raw.empty()) {
        std::ranges::copy(raw.first(std::min(raw.size(), info.size())), info.begin());
        return info;
    }
    storeInteger(info.data(), exception.code);
    storeInteger(info.data() + 4, exception.signalErrno);
    storeInteger(info.data() + 8, exception.signalCode);
    if (exception.faultAddress)
        storeInteger(info.data() + signalDetail64, *exception.faultAddress);
    else if (exception.sender)
        storeInteger(info.data() + signalDetail64, static_cast<std::uint32_t>(*exception.sender));
    return info;
}

std::vector<std::byte> auxv(const Process& process) {
    std::vector<std::byte> out;
    for (const auto& [type, value] : process.auxv) {
        appendInteger(out, type);
        appendInteger(out, value);
    }
    if (!out.empty()) out.resize(out.size() + 16);  // AT_NULL
    return out;
}

/// Empty when no file is mapped.
std::vector<std::byte> mappedFiles(const Process& process, bool fileNamesOnly) {
    const std::uint64_t page = process.auxvValue(elf::auxPageSize).value_or(4096);
    const std::uint64_t unit = page == 0 ? 4096 : page;
    std::vector<const Region*> files;
    for (const Region& region : process.regions) {
        if (region.name.starts_with('/')) files.push_back(&region);
    }
    std::vector<std::byte> out;
    if (files.empty()) return out;
    out.reserve(16 + files.size() * 64);
    appendInteger(out, static_cast<std::uint64_t>(files.size()));
    appendInteger(out, unit);
    for (const Region* region : files) {
        appendInteger(out, region->range.begin());
        appendInteger(out, region->range.end());
        appendInteger(out, region->fileOffset / unit);
    }
    for (const Region* region : files) {
        const auto name = std::as_bytes(std::span(storedName(region->name, fileNamesOnly)));
        out.insert(out.end(), name.begin(), name.end());
        out.push_back(std::byte{0});
    }
    return out;
}

/// The thread the dump is about, else the leader, then the others in their order.
std::vector<const Thread*> threadOrder(const Process& process) {
    std::vector<const Thread*> order;
    order.reserve(process.threads.size());
    for (const Thread& thread : process.threads)
        order.push_back(&thread);
    const std::uint64_t first =
        process.exception && process.thread(process.exception->threadId) != nullptr
            ? process.exception->threadId
            : process.pid;
    std::ranges::stable_partition(order, [&](const Thread* t) { return t->id == first; });
    return order;
}

class NoteMaker {
public:
    NoteMaker(const Snapshot& snapshot, const SavePlan& plan, const TakeNote& take)
        : snapshot_(snapshot), process_(*snapshot.process), plan_(plan), take_(take) {}

    Result<void> run() {
        bool first = true;
        for (const Thread* thread : threadOrder(process_)) {
            TRY(take_(coreName, elf::notePrStatus, prStatus(process_, *thread)));
            if (first) TRY(processNotes());
            first = false;
            TRY(stateNotes(*thread));
        }
        if (first) TRY(processNotes());
        TRY(ownNotes());
        return attachments();
    }

private:
    Result<void> processNotes() {
        TRY(take_(coreName, elf::notePrPsInfo, bytesOf(prPsInfo(snapshot_, plan_))));
        TRY(take_(coreName, elf::noteSigInfo, signalInfo(process_)));
        TRY(takeIfAny(coreName, elf::noteAuxv, auxv(process_)));
        return takeIfAny(coreName, elf::noteFile, mappedFiles(process_, plan_.filterModulePaths));
    }

    Result<void> stateNotes(const Thread& thread) {
        if (!thread.context) return {};
        const Context& context = *thread.context;
        TRY(takeIfAny(coreName, elf::noteFpRegSet, context.floatingPoint.span()));
        const std::vector<std::byte> moved = xsaveInIntelLayout(context.extended.span());
        TRY(takeIfAny(linuxName, elf::noteX86Xstate,
                      moved.empty() ? context.extended.span() : std::span(moved)));
        if (process_.system.arch == Arch::arm64) {
            if (const auto tls = context.registers.get(arm64::tpidr)) {
                std::vector<std::byte> content;
                appendInteger(content, *tls);
                TRY(take_(linuxName, elf::noteArmTls, content));
            }
        }
        return {};
    }

    Result<void> ownNotes() {
        TRY(takeText(noteInfo, encodeInfo(snapshot_, plan_)));
        TRY(takeText(noteThreads, encodeThreads(process_, plan_)));
        TRY(takeText(noteModules, encodeModules(process_, plan_)));
        TRY(takeText(noteRegions, encodeRegions(process_, plan_)));
        if (plan_.handles) TRY(takeText(noteHandles, encodeHandles(process_)));
        return {};
    }

    Result<void> attachments() {
        for (const Attachment& attachment : snapshot_.attachments) {
            if (attachment.name.starts_with(keptNotePrefix)) continue;  // of another writer's core
            const auto saved = contentToSave(attachment, plan_);
            if (!saved) continue;
            std::vector<std::byte> content;
            const auto name = std::as_bytes(std::span(attachment.name));
            const auto body = saved->span();
            content.reserve(name.size() + 1 + body.size());
            content.insert(content.end(), name.begin(), name.end());
            content.push_back(std::byte{0});
            content.insert(content.end(), body.begin(), body.end());
            TRY(take_(ownNoteName, noteAttachment, content));
        }
        return {};
    }

    Result<void> takeText(std::uint32_t type, const std::string& text) {
        return takeIfAny(ownNoteName, type, std::as_bytes(std::span(text)));
    }
    Result<void> takeIfAny(std::string_view name, std::uint32_t type,
                           std::span<const std::byte> content) {
        return content.empty() ? Result<void>() : take_(name, type, content);
    }

    const Snapshot& snapshot_;
    const Process& process_;
    const SavePlan& plan_;
    const TakeNote& take_;
};

}  // namespace

Result<void> forEachNote(const Snapshot& snapshot, const SavePlan& plan, const TakeNote& take) {
    return NoteMaker(snapshot, plan, take).run();
}

std::uint64_t noteSize(std::string_view name, std::uint64_t contentSize) {
    return sizeof(elf::NoteHeader) + alignUp(name.size() + 1, noteAlignment) +
           alignUp(contentSize, noteAlignment);
}

std::vector<std::byte> noteStart(std::string_view name, std::uint32_t type,
                                 std::uint64_t contentSize) {
    elf::NoteHeader header{};
    header.nameSize = static_cast<std::uint32_t>(name.size() + 1);
    header.contentSize = static_cast<std::uint32_t>(contentSize);
    header.type = type;
    std::vector<std::byte> out;
    const auto start = bytesOf(header);
    out.assign(start.begin(), start.end());
    const auto text = std::as_bytes(std::span(name));
    out.insert(out.end(), text.begin(), text.end());
    out.resize(sizeof header + alignUp(name.size() + 1, noteAlignment));
    return out;
}

}  // namespace icecore::elfcore
