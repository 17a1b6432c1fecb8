#include "capi/callback_routine.h"

#include <cstddef>
#include <cstring>

namespace icecore::capi {

namespace {

// Packed to four bytes, as minidumpapiset.h does.
static_assert(sizeof(MINIDUMP_THREAD_CALLBACK) == 1264);
static_assert(sizeof(MINIDUMP_MODULE_CALLBACK) == 8 + 8 + 3 * 4 + 52 + 8 + 4 + 8 + 4);
static_assert(offsetof(MINIDUMP_CALLBACK_INPUT, u) == 16);
static_assert(sizeof(MINIDUMP_CALLBACK_OUTPUT) == 56);
static_assert(sizeof(char16_t) == sizeof(std::uint16_t));

CallbackAnswer askOne(const MINIDUMP_CALLBACK_INFORMATION& callback, HANDLE process,
                      CallbackQuestion asked) {
    MINIDUMP_CALLBACK_INPUT input{};
    input.ProcessId = static_cast<std::uint32_t>(asked.processId);
    input.ProcessHandle = process;
    input.CallbackType = asked.type;
    MINIDUMP_CALLBACK_OUTPUT output{};
    switch (asked.type) {
    case IncludeThreadCallback:
        input.u.IncludeThread.ThreadId = static_cast<std::uint32_t>(asked.threadId);
        break;
    case ThreadCallback:
        input.u.Thread.ThreadId = static_cast<std::uint32_t>(asked.threadId);
        std::memcpy(input.u.Thread.Context, asked.context.data(), asked.context.size());
        input.u.Thread.SizeOfContext = asked.contextSize;
        input.u.Thread.StackBase = asked.stackBase;
        input.u.Thread.StackEnd = asked.stackEnd;
        output.u.ThreadWriteFlags = asked.flags;
        break;
    case IncludeModuleCallback: input.u.IncludeModule.BaseOfImage = asked.base; break;
    case ModuleCallback:
        input.u.Module.FullPath = reinterpret_cast<std::uint16_t*>(asked.path.data());
        input.u.Module.BaseOfImage = asked.base;
        input.u.Module.SizeOfImage = asked.size;
        input.u.Module.CheckSum = asked.checksum;
        input.u.Module.TimeDateStamp = asked.timestamp;
        input.u.Module.CvRecord = asked.codeViewSize == 0 ? nullptr : asked.codeView.data();
        input.u.Module.SizeOfCvRecord = asked.codeViewSize;
        output.u.ModuleWriteFlags = asked.flags;
        break;
    default: break;
    }
    CallbackAnswer answer;
    answer.agreed = callback.CallbackRoutine(callback.CallbackParam, &input, &output) != 0;
    switch (asked.type) {
    case ThreadCallback: answer.flags = output.u.ThreadWriteFlags; break;
    case ModuleCallback: answer.flags = output.u.ModuleWriteFlags; break;
    case MemoryCallback:
    case RemoveMemoryCallback:
        answer.memoryBase = output.u.Memory.MemoryBase;
        answer.memorySize = output.u.Memory.MemorySize;
        break;
    case CancelCallback:
        answer.checkCancel = output.u.Cancel.CheckCancel != 0;
        answer.cancel = output.u.Cancel.Cancel != 0;
        break;
    default: break;
    }
    return answer;
}

}  // namespace

Ask askRoutine(const MINIDUMP_CALLBACK_INFORMATION& callback, HANDLE process) {
    return [callback, process](const CallbackQuestion& asked) -> Result<CallbackAnswer> {
        return askOne(callback, process, asked);
    };
}

}  // namespace icecore::capi
