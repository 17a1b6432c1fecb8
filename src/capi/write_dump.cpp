#include "capi/write_dump.h"

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "arch/windows_context.h"
#include "base/text.h"
#include "bytes/endian.h"
#include "bytes/sink.h"
#include "formats/format.h"
#include "live/capture.h"
#include "model/save_plan.h"

namespace icecore::capi {

namespace {

// EXCEPTION_RECORD64 and EXCEPTION_POINTERS of a 64-bit process (winnt.h).
struct RecordLayout {
    Le32 code, flags;
    Le64 next, address;
    Le32 parameterCount, padding;
    Le64 parameters[15];
};
static_assert(sizeof(RecordLayout) == 152 && alignof(RecordLayout) == 1);
struct PointersLayout {
    Le64 record, context;
};
static_assert(sizeof(PointersLayout) == 16);
// MINIDUMP_USER_STREAM, packed to four bytes (minidumpapiset.h).
struct StreamLayout {
    Le32 type, size;
    Le64 buffer;
};
static_assert(sizeof(StreamLayout) == 16);
/// No stream may be larger: it is held in memory, and lies in the part that must end within 4 GiB.
constexpr std::uint32_t streamLimit = std::uint32_t{1} << 30;

/// CONTEXT of AMD64 (winnt.h); what else a context may have lies behind it, and is not taken.
constexpr std::size_t contextSize = 1232;

/// Reads where the caller's pointers point to: in the target, or in this process.
Result<void> fetch(const AddressSpace* target, std::uint64_t address, std::span<std::byte> out) {
    if (target != nullptr) return target->readExactly(address, out);
    if (out.empty()) return {};
    // The caller vouches for its own pointers, as everywhere in C.
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    std::memcpy(out.data(), reinterpret_cast<const void*>(static_cast<std::uintptr_t>(address)),
                out.size());
    return {};
}

template <class T>
Result<T> fetch(const AddressSpace* target, std::uint64_t address) {
    std::array<std::byte, sizeof(T)> raw{};
    TRY(fetch(target, address, raw));
    T value;
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
}

Result<Exception> readException(const DumpRequest& place, const Process& process) {
    if (process.thread(place.exceptionThread) == nullptr)
        return fail(Errc::usage, "ExceptionParam: the process has no thread " +
                                     std::to_string(place.exceptionThread));
    Exception exception;
    exception.threadId = place.exceptionThread;
    const AddressSpace* target = place.exceptionInTarget ? process.memory.get() : nullptr;
    ASSIGN_OR_RETURN(const auto pointers, fetch<PointersLayout>(target, place.exceptionPointers));
    if (pointers.record != 0) {
        ASSIGN_OR_RETURN(const auto record, fetch<RecordLayout>(target, pointers.record));
        const std::size_t count = record.parameterCount;
        if (count > std::size(record.parameters))
            return fail(Errc::usage, "ExceptionParam: an exception has at most 15 parameters");
        exception.code = record.code;
        exception.flags = record.flags;
        exception.signalCode = static_cast<std::int32_t>(exception.flags);
        exception.address = record.address;
        for (std::size_t i = 0; i < count; ++i)
            exception.parameters.push_back(record.parameters[i]);
    }
    if (pointers.context != 0) {
        std::vector<std::byte> raw(contextSize);
        TRY(fetch(target, pointers.context, raw));
        ASSIGN_OR_RETURN(exception.context,
                         readWindowsContext(std::span<const std::byte>(raw), process.system.arch));
    }
    return exception;
}

Result<void> addStreams(const DumpRequest& request, Snapshot& snapshot) {
    const AddressSpace* target = request.streamsInTarget ? snapshot.process->memory.get() : nullptr;
    for (std::uint64_t i = 0; i < request.streamCount; ++i) {
        ASSIGN_OR_RETURN(const auto stream,
                         fetch<StreamLayout>(target, request.streams + i * sizeof(StreamLayout)));
        const std::uint32_t size = stream.size;
        if (size > streamLimit)
            return fail(Errc::limit, "UserStreamParam: a stream of more than 1 GiB");
        std::string content(size, '\0');
        TRY(fetch(target, stream.buffer, std::as_writable_bytes(std::span(content))));
        const std::uint32_t type = stream.type;
        snapshot.attachments.push_back(
            {"stream/" + hex(type), SharedBytes::own(std::move(content))});
    }
    return {};
}

Result<std::unique_ptr<Sink>> openSink(const DumpRequest& request, const SavePlan& plan,
                                       const Process& process) {
    std::unique_ptr<Sink> sink;
    if (request.path[0] == '\0') {
        sink = descriptorSink(request.descriptor, "the descriptor");
    } else {
        FileSinkOptions file;
        file.overwrite = request.overwrite;
        if (request.compressionLevel == 0) file.expected = presentBytes(plan, *process.memory);
        ASSIGN_OR_RETURN(sink, createFileSink(request.path.data(), file));
    }
    if (request.compressionLevel == 0) return sink;
    return compressZstd(std::move(sink), request.compressionLevel, 0);
}

}  // namespace

Result<DumpOutcome> writeDump(const DumpRequest& request, Progress& progress, const Ask* ask) {
    const Format* format = formatByName(request.format == DumpFormat::core ? "core" : "minidump");
    if (format == nullptr) return fail(Errc::internal, "the format cannot be written");
    live::CaptureOptions options;
    options.mode = request.mode;
    options.type.flags = request.flags;
    ASSIGN_OR_RETURN(const auto frozen, live::freeze(request.pid, options, progress));
    Snapshot snapshot = frozen->snapshot();
    if (request.exceptionPointers != 0) {
        ASSIGN_OR_RETURN(snapshot.process->exception, readException(request, *snapshot.process));
    }
    TRY(addStreams(request, snapshot));
    SavePlan plan = frozen->plan();
    std::optional<CancelByCallback> asking;
    if (ask != nullptr) {
        // Nobody answers while they stand still.
        if (request.askedInTarget && frozen->mode() == live::SnapshotMode::stop)
            return fail(Errc::unsupported,
                        "the process cannot be cloned, and stopped it cannot run its callback");
        TRY(applyCallbacks(*ask, snapshot, plan));
        asking.emplace(*ask, request.pid, progress);
    }
    Progress& watched = asking ? *asking : progress;
    ASSIGN_OR_RETURN(const auto sink, openSink(request, plan, *snapshot.process));
    ASSIGN_OR_RETURN(const WriteReport report, format->write(snapshot, plan, *sink, watched));
    frozen->release();
    if (watched.cancelled()) return fail(Errc::cancelled, "cancelled");
    TRY(sink->finish());
    DumpOutcome outcome;
    outcome.bytes = report.bytes;
    for (const Range& range : report.unread)
        outcome.unreadBytes += range.size();
    outcome.pause = frozen->pause();
    outcome.cloned = frozen->mode() == live::SnapshotMode::clone;
    return outcome;
}

}  // namespace icecore::capi
