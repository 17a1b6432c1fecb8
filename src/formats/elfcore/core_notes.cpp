#include "formats/elfcore/core_notes.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "formats/elfcore/core_layout.h"
#include "formats/elfcore/core_registers.h"
#include "formats/elfcore/own_notes.h"

namespace icecore::elfcore {

namespace {

/// Threads, auxv entries, mapped files that are kept; a count beyond is damage.
constexpr std::size_t maxThreads = 1'000'000;
constexpr std::size_t maxAuxv = 512;
constexpr std::size_t maxFiles = 4'000'000;
/// Bytes of notes without a name in the model.
constexpr std::uint64_t maxKeptBytes = std::uint64_t{16} << 20;
/// Raw vector state of one thread: AVX-512 and AMX together need 11 KiB.
constexpr std::size_t maxExtended = std::size_t{1} << 20;

SharedBytes copyOf(ByteView view) {
    return SharedBytes::own(std::vector<std::byte>(view.span().begin(), view.span().end()));
}

/// A fixed field that ends at a NUL or at its size.
std::string fieldText(std::span<const char> field) {
    return {field.begin(), std::ranges::find(field, '\0')};
}

template <class Word>
std::chrono::nanoseconds durationOf(const TimeValue<Word>& value) {
    // Foreign values may be anything; only what fits is a time.
    constexpr std::uint64_t most = 1'000'000'000;  // 31 years of CPU time
    const std::uint64_t seconds = std::min<std::uint64_t>(value.seconds, most);
    const std::uint64_t micro = std::min<std::uint64_t>(value.microseconds, 999'999);
    return std::chrono::seconds(seconds) + std::chrono::microseconds(micro);
}

/// Linux, include/uapi/asm-generic/signal.h; the same numbers on x86 and ARM.
enum Signal : std::int32_t {
    sigIll = 4,
    sigTrap = 5,
    sigBus = 7,
    sigFpe = 8,
    sigSegv = 11,
    sigChild = 17,
    sigContinue = 18,
    sigStop = 19,
    sigTerminalStop = 20,
    sigUrgent = 23,
    sigWindow = 28,
    sigMax = 64,
};

bool carriesAddress(std::int32_t signal) {
    return signal == sigIll || signal == sigTrap || signal == sigBus || signal == sigFpe ||
           signal == sigSegv;
}

}  // namespace

bool isCrashSignal(std::int32_t signal) {
    switch (signal) {
    case sigChild:
    case sigContinue:
    case sigStop:
    case sigTerminalStop:
    case sigUrgent:
    case sigWindow: return false;
    default: return signal > 0 && signal <= sigMax;
    }
}

Thread* NoteReader::current() {
    return process().threads.empty() ? nullptr : &process().threads.items.back();
}

void NoteReader::take(const ElfNote& note) {
    if (notes_.firstType == 0) notes_.firstType = note.type;
    if (note.name == "CORE") return takeCore(note);
    if (note.name == "LINUX") return takeLinux(note);
    if (note.name == ownNoteName) return takeOwn(note);
    keep(note);
}

void NoteReader::takeCore(const ElfNote& note) {
    switch (note.type) {
    case elf::notePrStatus: return readStatus(note.content);
    case elf::notePrPsInfo: return readProcessInfo(note.content);
    case elf::noteSigInfo: return readSignalInfo(note.content);
    case elf::noteAuxv: return readAuxv(note.content);
    case elf::noteFile: return readFiles(note.content);
    case elf::noteFpRegSet: {
        Thread* thread = current();
        // 32-bit x86 stores its FXSAVE area under another type, and the old layout here.
        if (arch_ == Arch::x86) return keep(note);
        if (thread != nullptr && thread->context && note.content.size() <= maxExtended)
            thread->context->floatingPoint = copyOf(note.content);
        return;
    }
    default: return keep(note);
    }
}

void NoteReader::takeLinux(const ElfNote& note) {
    Thread* thread = current();
    const bool hasContext = thread != nullptr && thread->context.has_value();
    switch (note.type) {
    case elf::notePrXfpReg:
        if (hasContext && note.content.size() <= maxExtended)
            thread->context->floatingPoint = copyOf(note.content);
        return;
    case elf::noteX86Xstate:
        if (hasContext && note.content.size() <= maxExtended)
            thread->context->extended = copyOf(note.content);
        return;
    case elf::noteArmTls:
        if (arch_ == Arch::arm64 && hasContext && note.content.size() >= 8) {
            const auto value = loadInteger<std::uint64_t>(note.content.data());
            thread->context->registers.set(arm64::tpidr, value);
            thread->tls = value;
        }
        return;
    default: return keep(note);
    }
}

void NoteReader::takeOwn(const ElfNote& note) {
    const std::string_view text(reinterpret_cast<const char*>(note.content.data()),
                                note.content.size());
    notes_.own = true;
    switch (note.type) {
    case noteInfo: notes_.expectsUnread = decodeInfo(text, snapshot_).hasUnreadNote; return;
    case noteAttachment: {
        const std::size_t end = text.find('\0');
        if (end == std::string_view::npos) {
            snapshot_.issues.loss("an attachment without a name", note.content.where());
            return;
        }
        snapshot_.attachments.push_back(
            {std::string(text.substr(0, end)), copyOf(note.content.slice(end + 1))});
        return;
    }
    // The threads themselves may still follow.
    case noteThreads: ownThreads_ = text; return;
    case noteRegions: return decodeRegions(text, process());
    case noteHandles: return decodeHandles(text, process());
    case noteModules: notes_.hasModules = true; return decodeModules(text, process());
    case noteUnread: {
        auto unread = decodeUnread(note.content);
        if (unread) {
            notes_.hasUnread = true;
            snapshot_.unread = std::move(*unread);
        } else {
            snapshot_.issues.loss(unread.error());
        }
        return;
    }
    default: return keep(note);
    }
}

void NoteReader::keep(const ElfNote& note) {
    if (note.content.size() > maxKeptBytes - keptBytes_) {
        snapshot_.issues.loss("too many notes of unknown kinds", note.content.where());
        return;
    }
    keptBytes_ += note.content.size();
    std::string name = std::string(keptNotePrefix) + printable(note.name) + "/" + hex(note.type);
    if (const Thread* thread = current()) name += "/" + std::to_string(thread->id);
    snapshot_.attachments.push_back({std::move(name), copyOf(note.content)});
}

void NoteReader::readStatus(ByteView content) {
    if (process().threads.size() >= maxThreads) {
        snapshot_.issues.loss("too many threads", content.where());
        return;
    }
    Cursor cursor(content);
    Thread thread;
    const auto common = [&](const auto& status) {
        thread.id = status.pid;
        thread.currentSignal = status.currentSignal;
        thread.pendingSignals = status.pending;
        thread.blockedSignals = status.held;
        thread.userTime = durationOf(status.user);
        thread.kernelTime = durationOf(status.system);
        // gdb describes the process first, and what it says of single threads (the one that crashed
        // comes first) is no more than their ids.
        if (process().threads.empty() && !processDescribed_) {
            process().pid = status.pid;
            process().parentPid = status.parentPid;
            process().processGroup = static_cast<std::int32_t>(std::uint32_t{status.processGroup});
            process().session = static_cast<std::int32_t>(std::uint32_t{status.session});
        }
    };
    if (wordSize() == 8)
        common(cursor.structure<PrStatus64>());
    else
        common(cursor.structure<PrStatus32>());
    const Registers registers = readRegisters(cursor, arch_);
    if (!cursor.ok()) {
        snapshot_.issues.loss("the status of a thread is too short", content.where());
        if (content.size() < (wordSize() == 8 ? sizeof(PrStatus64) : sizeof(PrStatus32))) return;
    } else if (!registers.empty()) {
        thread.context = Context{registers, {}, {}};
        if (arch_ == Arch::x86_64) thread.tls = registers.get(x64::fs_base);
    }
    if (process().threads.empty()) notes_.signal = thread.currentSignal;
    process().threads.items.push_back(std::move(thread));
}

void NoteReader::readProcessInfo(ByteView content) {
    Cursor cursor(content);
    const auto common = [&](const auto& info) {
        if (!cursor.ok()) {
            snapshot_.issues.loss("the description of the process is too short", content.where());
            return;
        }
        Process& process = this->process();
        processDescribed_ = true;
        process.pid = info.pid;
        process.parentPid = info.parentPid;
        process.processGroup = static_cast<std::int32_t>(std::uint32_t{info.processGroup});
        process.session = static_cast<std::int32_t>(std::uint32_t{info.session});
        process.uid = info.uid;
        process.gid = info.gid;
        process.name = fieldText(info.name);
        notes_.arguments = fieldText(info.arguments);
        leaderState_ = info.stateLetter;
        leaderNice_ = info.nice;
    };
    if (wordSize() == 8)
        common(cursor.structure<PrPsInfo64>());
    else
        common(cursor.structure<PrPsInfo32>());
}

void NoteReader::readSignalInfo(ByteView content) {
    if (content.size() < signalDetail64 || content.size() > 4096) {
        snapshot_.issues.loss("signal information of a strange size", content.where());
        return;
    }
    // gdb writes one for every thread: the first with a signal tells why the core was written.
    if (signalThread_ && loadInteger<std::int32_t>(signalInfo_.span().data()) != 0) return;
    signalInfo_ = copyOf(content);
    signalThread_ = process().threads.empty() ? 0 : process().threads.size() - 1;
}

void NoteReader::readAuxv(ByteView content) {
    process().auxv.clear();
    Cursor cursor(content);
    while (cursor.canHold(1, wordSize() * 2) && process().auxv.size() < maxAuxv) {
        const std::uint64_t type = cursor.unsignedOf(wordSize());
        const std::uint64_t value = cursor.unsignedOf(wordSize());
        if (type == elf::auxNull) break;
        process().auxv.emplace_back(type, value);
    }
}

void NoteReader::readFiles(ByteView content) {
    notes_.hasFiles = true;
    Cursor cursor(content);
    const std::uint64_t count = cursor.unsignedOf(wordSize());
    const std::uint64_t unit = cursor.unsignedOf(wordSize());
    if (!cursor.ok() || !cursor.canHold(count, wordSize() * 3) || count > maxFiles) {
        snapshot_.issues.loss("the list of mapped files is longer than its note", content.where());
        return;
    }
    notes_.files.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t begin = cursor.unsignedOf(wordSize());
        const std::uint64_t end = cursor.unsignedOf(wordSize());
        const std::uint64_t offset = cursor.unsignedOf(wordSize());
        MappedFile file;
        file.range = Range::between(begin, end);
        file.offset = checkedMultiply(offset, unit).value_or(0);
        notes_.files.push_back(std::move(file));
    }
    for (MappedFile& file : notes_.files)
        file.path = cursor.cString();
    if (!cursor.ok())
        snapshot_.issues.loss("the names of mapped files end too early", content.where());
    std::ranges::sort(notes_.files, {}, [](const MappedFile& file) { return file.range.begin(); });
}

void NoteReader::setException() {
    Process& process = this->process();
    if (process.threads.empty()) return;
    std::int32_t signal = notes_.signal;
    const std::span<const std::byte> info = signalInfo_.span();
    if (!info.empty()) signal = loadInteger<std::int32_t>(info.data());
    if (!isCrashSignal(signal)) return;

    Exception exception;
    const Thread& thread =
        process.threads[std::min(signalThread_.value_or(0), process.threads.size() - 1)];
    exception.threadId = thread.id;
    exception.code = static_cast<std::uint32_t>(signal);
    if (thread.context) exception.address = thread.context->registers.pc();
    if (!info.empty()) {
        exception.rawSignalInfo = signalInfo_;
        exception.signalErrno = loadInteger<std::int32_t>(info.data() + 4);
        exception.signalCode = loadInteger<std::int32_t>(info.data() + 8);
        const std::size_t detail = wordSize() == 8 ? signalDetail64 : signalDetail32;
        // si_code <= 0: sent by a process (SI_USER, SI_TKILL, SI_QUEUE…). SI_KERNEL (0x80) comes
        // without an address: a general protection fault does not tell it.
        constexpr std::int32_t fromKernel = 0x80;
        if (exception.signalCode <= 0 && info.size() >= detail + 4) {
            exception.sender = loadInteger<std::uint32_t>(info.data() + detail);
        } else if (exception.signalCode != fromKernel && carriesAddress(signal) &&
                   info.size() >= detail + wordSize()) {
            exception.faultAddress = wordSize() == 8
                                         ? loadInteger<std::uint64_t>(info.data() + detail)
                                         : loadInteger<std::uint32_t>(info.data() + detail);
        }
    }
    process.exception = std::move(exception);
}

CoreNotes NoteReader::finish() {
    Process& process = this->process();
    if (!ownThreads_.empty()) decodeThreads(ownThreads_, process);
    // The kernel describes the leader only.
    for (Thread& thread : process.threads) {
        if (thread.id != process.pid) continue;
        if (thread.name.empty()) thread.name = process.name;
        if (thread.state == 0) thread.state = leaderState_;
        if (!thread.priority) thread.priority = leaderNice_;
    }
    if (process.threads.coverage == Coverage::absent && !process.threads.empty())
        process.threads.coverage = Coverage::complete;
    setException();
    return std::move(notes_);
}

}  // namespace icecore::elfcore
