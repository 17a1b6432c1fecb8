// Threads, their names and details, and the exception.
#include <algorithm>

#include "arch/windows_context.h"
#include "base/text.h"
#include "formats/minidump/filetime.h"
#include "formats/minidump/reading.h"

namespace icecore::minidump {

namespace {

/// Signals whose si_addr is an address of the program: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV.
bool hasAddress(std::uint32_t signal) {
    return signal == 4 || signal == 5 || signal == 7 || signal == 8 || signal == 11;
}

/// `shadowStack` receives the shadow stack pointer, which the model's registers have no place for.
std::optional<Context> readContext(Reading& reading, const Location& location,
                                   std::optional<std::uint64_t>* shadowStack = nullptr) {
    if (location.size == 0 || location.rva == 0) return std::nullopt;
    // The largest there is: AMD64 with all of XSAVE, AMX tiles included, below 16 KiB.
    constexpr std::uint32_t largest = 64 << 10;
    const SharedBytes bytes =
        reading.load(location.rva, std::min(location.size + 0U, largest), "a thread's context");
    if (bytes.empty()) return std::nullopt;
    auto context =
        readWindowsContext(reading.view(bytes, location.rva), reading.process.system.arch);
    if (!context) {
        reading.issues.loss(context.error());
        return std::nullopt;
    }
    if (shadowStack != nullptr && context->registers.arch() == Arch::x86_64)
        *shadowStack = windowsShadowStackPointer(ByteView(bytes.span()));
    return *std::move(context);
}

bool isUnixLike(const Reading& reading) {
    const Os os = reading.process.system.os;
    return os == Os::linux_os || os == Os::android;
}

void addThread(Reading& reading, const RawThread& raw) {
    Thread thread;
    thread.id = raw.id;
    thread.suspendCount = raw.suspendCount;
    if (!isUnixLike(reading)) {
        thread.priority = static_cast<std::int32_t>(raw.priority + 0U);
        if (raw.teb != 0) thread.tls = raw.teb;
    }
    std::optional<std::uint64_t> shadowStack;
    thread.context = readContext(reading, raw.context, &shadowStack);
    if (shadowStack) {
        reading.snapshot.attachments.push_back(
            {fmt::format("thread/{:x}/shadow stack pointer", thread.id),
             SharedBytes::own(hex(*shadowStack))});
    }
    const Location& memory = raw.stack.memory;
    if (raw.stack.start != 0 && memory.size != 0) {
        const Range stack = Range::ofSize(raw.stack.start, memory.size);
        reading.memory.push_back({stack, memory.rva});
        // From the stack pointer on it is in use, where that lies inside.
        const std::uint64_t sp = thread.context ? thread.context->registers.sp() : 0;
        thread.stack = stack.contains(sp) ? Range::between(sp, stack.end()) : stack;
    }
    reading.process.threads.items.push_back(std::move(thread));
}

void finishThreads(Reading& reading, std::size_t issuesBefore) {
    const bool damaged = reading.issues.items().size() != issuesBefore;
    reading.process.threads.coverage = damaged ? Coverage::partial : Coverage::complete;
    reading.indexThreads();
}

}  // namespace

void readThreadList(Reading& reading, ByteView content) {
    const std::size_t issuesBefore = reading.issues.items().size();
    reading.forEachCounted<RawThread>(content, "the list of threads",
                                      [&](const RawThread& raw) { addThread(reading, raw); });
    finishThreads(reading, issuesBefore);
}

/// Read only where there is no list of the usual kind.
void readThreadExList(Reading& reading, ByteView content) {
    if (reading.process.threads.coverage != Coverage::absent) return;
    const std::size_t issuesBefore = reading.issues.items().size();
    reading.forEachCounted<RawThreadEx>(
        content, "the list of threads",
        [&](const RawThreadEx& raw) { addThread(reading, raw.thread); });
    finishThreads(reading, issuesBefore);
}

void readThreadNames(Reading& reading, ByteView content) {
    reading.forEachCounted<RawThreadName>(
        content, "the names of threads", [&](const RawThreadName& raw) {
            if (Thread* thread = reading.threadById(raw.id))
                thread->name = reading.string(raw.nameRva, "a thread's name");
        });
}

void readThreadInfoList(Reading& reading, ByteView content) {
    reading.forEachSized<ListHeader, RawThreadInfo>(
        content, "the information about threads", [&](const RawThreadInfo& raw) {
            Thread* thread = reading.threadById(raw.id);
            if (thread == nullptr || (raw.dumpFlags & threadInfoInvalid) != 0) return;
            thread->created = fromFileTime(raw.createTime);
            thread->kernelTime = fromFileDuration(raw.kernelTime);
            thread->userTime = fromFileDuration(raw.userTime);
            if (raw.startAddress != 0) thread->startAddress = raw.startAddress;
            if (raw.affinity != 0) thread->affinity = raw.affinity;
        });
}

void readException(Reading& reading, ByteView content) {
    Cursor cursor(content);
    const auto raw = cursor.structure<ExceptionStream>();
    if (!cursor.ok()) {
        reading.issues.loss("the exception is cut", content.where());
        return;
    }
    Exception exception;
    exception.threadId = raw.threadId;
    exception.code = raw.record.code;
    exception.context = readContext(reading, raw.context);
    std::uint32_t count = raw.record.parameterCount;
    if (count > std::size(raw.record.parameters)) {
        reading.issues.loss(fmt::format("the exception claims {} parameters", count),
                            content.where());
        count = std::size(raw.record.parameters);
    }
    for (std::uint32_t i = 0; i < count; ++i)
        exception.parameters.push_back(raw.record.parameters[i]);

    const Thread* thread = reading.threadById(exception.threadId);
    if (isUnixLike(reading)) {
        // Breakpad's convention: the signal, its si_code, its si_addr. Crashpad puts the program
        // counter where there is no si_addr.
        exception.signalCode = static_cast<std::int32_t>(raw.record.flags + 0U);
        if (hasAddress(exception.code)) exception.faultAddress = raw.record.address;
        const Context* at = exception.context           ? &*exception.context
                            : thread && thread->context ? &*thread->context
                                                        : nullptr;
        exception.address = at != nullptr ? at->registers.pc() : raw.record.address + 0U;
    } else if (reading.process.system.os == Os::macos) {
        // Type and code of Mach; the address is what was accessed, or where it happened.
        constexpr std::uint32_t badAccess = 1;
        exception.flags = raw.record.flags;
        if (exception.code == badAccess) exception.faultAddress = raw.record.address;
        const Context* at = exception.context           ? &*exception.context
                            : thread && thread->context ? &*thread->context
                                                        : nullptr;
        exception.address = at != nullptr ? at->registers.pc() : raw.record.address + 0U;
    } else {
        constexpr std::uint32_t accessViolation = 0xc0000005, inPageError = 0xc0000006;
        exception.flags = raw.record.flags;
        exception.address = raw.record.address;
        const bool access = exception.code == accessViolation || exception.code == inPageError;
        if (access && exception.parameters.size() >= 2)
            exception.faultAddress = exception.parameters[1];
    }
    // Not said twice: often the exception's context is the thread's own.
    if (thread != nullptr && exception.context == thread->context) exception.context.reset();
    reading.process.exception = std::move(exception);
}

void readThreadState(Reading& reading, ByteView content) {
    reading.forEachSized<ListHeader64, RawThreadState>(
        content, "the state of threads", [&](const RawThreadState& raw) {
            Thread* thread = reading.threadById(raw.id);
            if (thread == nullptr) return;
            thread->pendingSignals = raw.pendingSignals;
            thread->blockedSignals = raw.blockedSignals;
            thread->currentSignal = static_cast<std::int32_t>(raw.currentSignal + 0U);
            if ((raw.present & hasThreadPointer) != 0) thread->tls = raw.threadPointer;
            if (!thread->context) return;
            Registers& registers = thread->context->registers;
            const auto restore = [&](std::uint32_t bit, RegisterId id, std::uint64_t value) {
                if ((raw.present & bit) != 0) registers.set(id, value);
            };
            if (registers.arch() == Arch::x86_64) {
                restore(hasFsBase, x64::fs_base, raw.fsBase);
                restore(hasGsBase, x64::gs_base, raw.gsBase);
                restore(hasOriginalRax, x64::orig_rax, raw.originalRax);
            } else if (registers.arch() == Arch::x86) {
                restore(hasOriginalRax, x86::orig_eax, raw.originalRax);
            } else if (registers.arch() == Arch::arm64) {
                restore(hasFsBase, arm64::tpidr, raw.fsBase);
            }
        });
}

void readSignalInfo(Reading& reading, ByteView content) {
    // siginfo_t: si_signo, si_errno, si_code; then, for kill and its like, si_pid.
    constexpr std::size_t size = 128;
    if (!reading.process.exception || content.size() < size) return;
    Exception& exception = *reading.process.exception;
    exception.rawSignalInfo = SharedBytes::own(
        std::vector<std::byte>(content.span().begin(), content.span().begin() + size));
    exception.signalErrno = loadInteger<std::int32_t>(content.data() + 4);
    // SI_USER, SI_QUEUE and SI_TKILL come from a process that is named.
    const auto code = loadInteger<std::int32_t>(content.data() + 8);
    if (code == 0 || code == -1 || code == -6)
        exception.sender = loadInteger<std::uint32_t>(content.data() + 16);
}

}  // namespace icecore::minidump
