// Threads, their names and details, and the exception.
#include <algorithm>

#include "arch/windows_context.h"
#include "formats/minidump/filetime.h"
#include "formats/minidump/writing.h"

namespace icecore::minidump {

namespace {

Location writeContext(Writing& writing, const Context& context) {
    writing.metadata.align(16);
    const auto bytes = writeWindowsContext(context);
    if (bytes.empty()) return {};
    const auto rva = static_cast<std::uint32_t>(writing.metadata.append(bytes));
    return {static_cast<std::uint32_t>(bytes.size()), rva};
}

std::uint32_t shortId(std::uint64_t id) {
    return static_cast<std::uint32_t>(id);
}

}  // namespace

std::optional<std::uint64_t> writeThreadList(Writing& writing) {
    const Process& process = writing.process;
    std::vector<RawThread> raws;
    raws.reserve(process.threads.size());
    for (const Thread& thread : process.threads) {
        RawThread raw{};
        raw.id = shortId(thread.id);
        raw.suspendCount = thread.suspendCount;
        raw.priority = static_cast<std::uint32_t>(thread.priority.value_or(0));
        raw.teb = thread.tls.value_or(0);
        if (thread.context) raw.context = writeContext(writing, *thread.context);
        raws.push_back(raw);
    }
    Metadata& metadata = writing.metadata;
    metadata.align(8);
    const std::uint64_t begin = metadata.append(Le32(static_cast<std::uint32_t>(raws.size())));
    for (std::size_t i = 0; i < raws.size(); ++i) {
        const Thread& thread = process.threads[i];
        const std::uint64_t at = metadata.append(raws[i]);
        if (!thread.context) continue;
        // The stack lies in the list of memory; here stands where.
        const ArchInfo& info = archInfo(process.system.arch);
        const std::uint64_t sp = thread.context->registers.sp();
        const auto index = writing.storedIndex(sp);
        if (!index) continue;
        const Range range = writing.stored[*index];
        const std::uint64_t wanted =
            alignDown(sp - std::min<std::uint64_t>(sp, info.redZone), info.pointerSize);
        const std::uint64_t from = std::max(range.begin(), wanted);
        MemoryDescriptor stack{};
        stack.start = from;
        // Behind 4 GiB no RVA reaches; Memory64List has it all the same.
        const std::uint64_t offset = writing.storedAt[*index] + (from - range.begin());
        if (!writing.memory64) {
            stack.memory.size = static_cast<std::uint32_t>(range.end() - from);
            writing.rvas.push_back({at + offsetof(RawThread, stack) +
                                        offsetof(MemoryDescriptor, memory) +
                                        offsetof(Location, rva),
                                    offset});
        }
        metadata.put(at + offsetof(RawThread, stack), stack);
    }
    return begin;
}

std::optional<std::uint64_t> writeThreadNames(Writing& writing) {
    std::vector<RawThreadName> raws;
    for (const Thread& thread : writing.process.threads) {
        if (thread.name.empty()) continue;
        RawThreadName raw{};
        raw.id = shortId(thread.id);
        raw.nameRva = writing.metadata.string(thread.name);
        raws.push_back(raw);
    }
    if (raws.empty()) return std::nullopt;
    writing.metadata.align(8);
    const auto begin = writing.metadata.append(Le32(static_cast<std::uint32_t>(raws.size())));
    for (const RawThreadName& raw : raws)
        writing.metadata.append(raw);
    return begin;
}

std::optional<std::uint64_t> writeThreadInfoList(Writing& writing) {
    if (!writing.plan.threadInfo) return std::nullopt;
    const auto& threads = writing.process.threads;
    writing.metadata.align(8);
    const auto begin = writing.metadata.append(ListHeader{
        sizeof(ListHeader), sizeof(RawThreadInfo), static_cast<std::uint32_t>(threads.size())});
    for (const Thread& thread : threads) {
        RawThreadInfo raw{};
        raw.id = shortId(thread.id);
        raw.exitStatus = 259;  // STILL_ACTIVE
        if (thread.created) raw.createTime = toFileTime(*thread.created);
        if (thread.userTime) raw.userTime = toFileDuration(*thread.userTime);
        if (thread.kernelTime) raw.kernelTime = toFileDuration(*thread.kernelTime);
        raw.startAddress = thread.startAddress.value_or(0);
        raw.affinity = thread.affinity.value_or(0);
        writing.metadata.append(raw);
    }
    return begin;
}

std::optional<std::uint64_t> writeThreadState(Writing& writing) {
    if (writing.process.system.os != Os::linux_os) return std::nullopt;
    writing.metadata.align(8);
    const auto begin = writing.metadata.append(
        ListHeader64{sizeof(ListHeader64), sizeof(RawThreadState), writing.process.threads.size()});
    for (const Thread& thread : writing.process.threads) {
        RawThreadState raw{};
        raw.id = thread.id;
        raw.pendingSignals = thread.pendingSignals;
        raw.blockedSignals = thread.blockedSignals;
        raw.currentSignal = static_cast<std::uint32_t>(thread.currentSignal);
        std::uint32_t present = 0;
        const auto keep = [&](std::uint32_t bit, Le64& field, std::optional<std::uint64_t> value) {
            if (!value) return;
            field = *value;
            present |= bit;
        };
        keep(hasThreadPointer, raw.threadPointer, thread.tls);
        if (thread.context) {
            const Registers& registers = thread.context->registers;
            if (registers.arch() == Arch::x86_64) {
                keep(hasFsBase, raw.fsBase, registers.get(x64::fs_base));
                keep(hasGsBase, raw.gsBase, registers.get(x64::gs_base));
                keep(hasOriginalRax, raw.originalRax, registers.get(x64::orig_rax));
            } else if (registers.arch() == Arch::x86) {
                keep(hasOriginalRax, raw.originalRax, registers.get(x86::orig_eax));
            } else if (registers.arch() == Arch::arm64) {
                keep(hasFsBase, raw.fsBase, registers.get(arm64::tpidr));
            }
        }
        raw.present = present;
        writing.metadata.append(raw);
    }
    return begin;
}

std::optional<std::uint64_t> writeException(Writing& writing) {
    const auto& exception = writing.process.exception;
    if (!exception) return std::nullopt;
    ExceptionStream raw{};
    raw.threadId = shortId(exception->threadId);
    raw.record.code = exception->code;
    const bool isLinux = writing.process.system.os == Os::linux_os;
    raw.record.flags =
        isLinux ? static_cast<std::uint32_t>(exception->signalCode) : exception->flags;
    raw.record.address =
        isLinux ? exception->faultAddress.value_or(exception->address) : exception->address;
    const std::size_t count =
        std::min(exception->parameters.size(), std::size(raw.record.parameters));
    raw.record.parameterCount = static_cast<std::uint32_t>(count);
    for (std::size_t i = 0; i < count; ++i)
        raw.record.parameters[i] = exception->parameters[i];
    const Thread* thread = writing.process.thread(exception->threadId);
    if (exception->context)
        raw.context = writeContext(writing, *exception->context);
    else if (thread != nullptr && thread->context)
        raw.context = writeContext(writing, *thread->context);
    writing.metadata.align(8);
    return writing.metadata.append(raw);
}

std::optional<std::uint64_t> writeSignalInfo(Writing& writing) {
    const auto& exception = writing.process.exception;
    if (!exception || exception->rawSignalInfo.empty()) return std::nullopt;
    writing.metadata.align(8);
    return writing.metadata.append(exception->rawSignalInfo.span());
}

}  // namespace icecore::minidump
