// MiniDumpWriteDump: from Microsoft's parameters to ours.
#include <icecore/minidump.h>

#include <cerrno>
#include <new>

#include "capi/callback_routine.h"
#include "capi/last_error.h"
#include "capi/write_dump.h"

namespace icecore::capi {

namespace {

constexpr std::uint32_t knownFlags = 0x3fff;

// The caller's structures are packed: members are copied out, never referred to.
static_assert(sizeof(MINIDUMP_EXCEPTION_INFORMATION) == 16);
static_assert(sizeof(MINIDUMP_USER_STREAM) == 16);
static_assert(sizeof(MINIDUMP_USER_STREAM_INFORMATION) == 12);
static_assert(sizeof(EXCEPTION_RECORD) == 152);

Result<void> run(std::uint32_t pid, HANDLE file, std::uint32_t flags,
                 const MINIDUMP_EXCEPTION_INFORMATION* exception,
                 const MINIDUMP_USER_STREAM_INFORMATION* streams, const Ask* ask) {
    if (pid == 0) return fail(Errc::usage, "ProcessId is 0");
    if ((flags & ~knownFlags) != 0)
        return fail(Errc::usage, "DumpType has flags that are not known");
    DumpRequest request;
    request.pid = pid;
    request.descriptor = static_cast<int>(reinterpret_cast<std::intptr_t>(file));
    request.flags = flags;
    TRY(checkWritable(request.descriptor));
    const bool own = isOwn(pid);
    if (exception != nullptr) {
        request.exceptionThread = exception->ThreadId;
        request.exceptionPointers = reinterpret_cast<std::uintptr_t>(exception->ExceptionPointers);
        request.exceptionInTarget = own || exception->ClientPointers != 0;
    }
    if (streams != nullptr) {
        request.streamCount = streams->UserStreamCount;
        request.streams = reinterpret_cast<std::uintptr_t>(streams->UserStreamArray);
        request.streamsInTarget = own;
        if (request.streamCount != 0 && request.streams == 0)
            return fail(Errc::usage, "UserStreamParam: no array");
    }
    if (own) {
        TRY(writeOwnDump(request, ask));
    } else {
        SilentProgress progress;
        TRY(writeDump(request, progress, ask));
    }
    return {};
}

}  // namespace

}  // namespace icecore::capi

extern "C" const char* icecore_last_error(void) {
    return icecore::capi::lastErrorText();
}

extern "C" int32_t MiniDumpWriteDump(HANDLE hProcess, uint32_t ProcessId, HANDLE hFile,
                                     MINIDUMP_TYPE DumpType,
                                     const MINIDUMP_EXCEPTION_INFORMATION* ExceptionParam,
                                     const MINIDUMP_USER_STREAM_INFORMATION* UserStreamParam,
                                     const MINIDUMP_CALLBACK_INFORMATION* CallbackParam) {
    using namespace icecore;
    try {
        const int before = errno;
        capi::Ask ask;
        if (CallbackParam != nullptr && CallbackParam->CallbackRoutine != nullptr)
            ask = capi::askRoutine(*CallbackParam, hProcess);
        const auto result = capi::run(ProcessId, hFile, static_cast<std::uint32_t>(DumpType),
                                      ExceptionParam, UserStreamParam, ask ? &ask : nullptr);
        if (!result) {
            capi::setLastError(result.error());
            return 0;
        }
        capi::clearLastError();
        errno = before;
        return 1;
    } catch (const std::bad_alloc&) {
        capi::setLastError(ENOMEM, "not enough memory");
    } catch (...) {
        // Nothing of ours throws; what a library below might must not reach a C caller.
        capi::setLastError(ENOTRECOVERABLE, "an unexpected exception");
    }
    return 0;
}
