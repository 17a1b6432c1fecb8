#include "analysis/windows_status.h"

#include <algorithm>
#include <array>

namespace icecore {

namespace {

// Numbers and names: ntstatus.h and winnt.h of the Windows SDK; [MS-ERREF] 2.3.1 lists them.
constexpr auto statusTable = std::to_array<StatusWords>({
    {0x00000000, "STATUS_SUCCESS", "success"},
    {0x00000080, "STATUS_ABANDONED_WAIT_0", "the mutex was abandoned"},
    {0x000000c0, "STATUS_USER_APC", "a call was delivered while waiting"},
    {0x00000101, "STATUS_ALERTED", "the thread was alerted"},
    {0x00000102, "STATUS_TIMEOUT", "the wait timed out"},
    {0x00000103, "STATUS_PENDING", "the operation is not complete"},
    {0x40000003, "STATUS_IMAGE_NOT_AT_BASE", "the image was moved"},
    {0x40000015, "STATUS_FATAL_APP_EXIT", "the program ended itself (abort)"},
    {0x40010005, "DBG_CONTROL_C", "Ctrl+C"},
    {0x40010006, "DBG_PRINTEXCEPTION_C", "text for a debugger"},
    {0x4001000a, "DBG_PRINTEXCEPTION_WIDE_C", "text for a debugger"},
    {0x406d1388, "MS_VC_EXCEPTION", "a thread's name for a debugger"},
    {0x80000001, "STATUS_GUARD_PAGE_VIOLATION", "access to a guard page"},
    {0x80000002, "STATUS_DATATYPE_MISALIGNMENT", "misaligned access"},
    {0x80000003, "STATUS_BREAKPOINT", "breakpoint"},
    {0x80000004, "STATUS_SINGLE_STEP", "single step"},
    {0x80000007, "STATUS_WAKE_SYSTEM_DEBUGGER", "a debugger was called for"},
    {0x80000005, "STATUS_BUFFER_OVERFLOW", "more data than the buffer holds"},
    {0x80000006, "STATUS_NO_MORE_FILES", "there are no more files"},
    {0x8000001a, "STATUS_NO_MORE_ENTRIES", "there are no more entries"},
    {0x80000029, "STATUS_UNWIND_CONSOLIDATE", "frames are being unwound"},
    {0xc0000001, "STATUS_UNSUCCESSFUL", "unsuccessful"},
    {0xc0000002, "STATUS_NOT_IMPLEMENTED", "not implemented"},
    {0xc0000003, "STATUS_INVALID_INFO_CLASS", "no such class of information"},
    {0xc0000004, "STATUS_INFO_LENGTH_MISMATCH", "the length does not fit the information"},
    {0xc0000005, "STATUS_ACCESS_VIOLATION", "access violation"},
    {0xc0000006, "STATUS_IN_PAGE_ERROR", "a page could not be read from its file"},
    {0xc0000008, "STATUS_INVALID_HANDLE", "invalid handle"},
    {0xc000000d, "STATUS_INVALID_PARAMETER", "invalid parameter"},
    {0xc000000f, "STATUS_NO_SUCH_FILE", "no such file"},
    {0xc0000010, "STATUS_INVALID_DEVICE_REQUEST", "a request the device does not know"},
    {0xc0000011, "STATUS_END_OF_FILE", "the end of the file is reached"},
    {0xc0000017, "STATUS_NO_MEMORY", "out of memory"},
    {0xc000001d, "STATUS_ILLEGAL_INSTRUCTION", "illegal instruction"},
    {0xc0000022, "STATUS_ACCESS_DENIED", "access denied"},
    {0xc0000023, "STATUS_BUFFER_TOO_SMALL", "the buffer is too small"},
    {0xc0000024, "STATUS_OBJECT_TYPE_MISMATCH", "an object of another type"},
    {0xc0000025, "STATUS_NONCONTINUABLE_EXCEPTION", "execution went on where it cannot"},
    {0xc0000026, "STATUS_INVALID_DISPOSITION", "an exception handler answered nonsense"},
    {0xc0000028, "STATUS_BAD_STACK", "the stack is damaged"},
    {0xc0000033, "STATUS_OBJECT_NAME_INVALID", "an invalid name of an object"},
    {0xc0000034, "STATUS_OBJECT_NAME_NOT_FOUND", "no object of that name"},
    {0xc0000035, "STATUS_OBJECT_NAME_COLLISION", "an object of that name exists"},
    {0xc000003a, "STATUS_OBJECT_PATH_NOT_FOUND", "no such path"},
    {0xc0000043, "STATUS_SHARING_VIOLATION", "another process uses the file"},
    {0xc0000045, "STATUS_INVALID_PAGE_PROTECTION", "an invalid protection of a page"},
    {0xc000007b, "STATUS_INVALID_IMAGE_FORMAT", "not a valid program"},
    {0xc000008c, "STATUS_ARRAY_BOUNDS_EXCEEDED", "index out of bounds"},
    {0xc000008d, "STATUS_FLOAT_DENORMAL_OPERAND", "floating point: denormal operand"},
    {0xc000008e, "STATUS_FLOAT_DIVIDE_BY_ZERO", "floating point: division by zero"},
    {0xc000008f, "STATUS_FLOAT_INEXACT_RESULT", "floating point: inexact result"},
    {0xc0000090, "STATUS_FLOAT_INVALID_OPERATION", "floating point: invalid operation"},
    {0xc0000091, "STATUS_FLOAT_OVERFLOW", "floating point: overflow"},
    {0xc0000092, "STATUS_FLOAT_STACK_CHECK", "floating point: stack over- or underflow"},
    {0xc0000093, "STATUS_FLOAT_UNDERFLOW", "floating point: underflow"},
    {0xc0000094, "STATUS_INTEGER_DIVIDE_BY_ZERO", "integer division by zero"},
    {0xc0000095, "STATUS_INTEGER_OVERFLOW", "integer overflow"},
    {0xc0000096, "STATUS_PRIVILEGED_INSTRUCTION", "privileged instruction"},
    {0xc000009a, "STATUS_INSUFFICIENT_RESOURCES", "not enough system resources"},
    {0xc00000b5, "STATUS_IO_TIMEOUT", "the operation timed out"},
    {0xc00000bb, "STATUS_NOT_SUPPORTED", "not supported"},
    {0xc00000fd, "STATUS_STACK_OVERFLOW", "stack overflow"},
    {0xc0000120, "STATUS_CANCELLED", "cancelled"},
    {0xc000012d, "STATUS_COMMITMENT_LIMIT", "the paging file is too small"},
    {0xc0000135, "STATUS_DLL_NOT_FOUND", "a library was not found"},
    {0xc0000138, "STATUS_ORDINAL_NOT_FOUND", "a library lacks an ordinal"},
    {0xc0000139, "STATUS_ENTRYPOINT_NOT_FOUND", "a library lacks a function"},
    {0xc000013a, "STATUS_CONTROL_C_EXIT", "ended by Ctrl+C"},
    {0xc0000142, "STATUS_DLL_INIT_FAILED", "a library failed to initialise"},
    {0xc0000194, "STATUS_POSSIBLE_DEADLOCK", "a possible deadlock"},
    {0xc0000225, "STATUS_NOT_FOUND", "not found"},
    {0xc00002b4, "STATUS_FLOAT_MULTIPLE_FAULTS", "floating point: several faults"},
    {0xc00002b5, "STATUS_FLOAT_MULTIPLE_TRAPS", "floating point: several traps"},
    {0xc00002c9, "STATUS_REG_NAT_CONSUMPTION", "a register without a value was used"},
    {0xc0000374, "STATUS_HEAP_CORRUPTION", "the heap is corrupt"},
    {0xc0000409, "STATUS_STACK_BUFFER_OVERRUN", "fast fail"},
    {0xc0000417, "STATUS_INVALID_CRUNTIME_PARAMETER",
     "an invalid parameter was given to the C run-time"},
    {0xc0000420, "STATUS_ASSERTION_FAILURE", "an assertion failed"},
    {0xc000041d, "STATUS_FATAL_USER_CALLBACK_EXCEPTION", "an exception in a callback of a window"},
    {0xc00004a2, "STATUS_ENCLAVE_VIOLATION", "enclave violation"},
    {0xc0000602, "STATUS_FAIL_FAST_EXCEPTION", "the program ended itself (fail fast)"},
    {0xc06d007e, "VcppException(ERROR_MOD_NOT_FOUND)", "a delay-loaded library was not found"},
    {0xc06d007f, "VcppException(ERROR_PROC_NOT_FOUND)", "a delay-loaded function was not found"},
    {0xe0434352, "CLR_EXCEPTION", "a managed (.NET) exception"},
    {0xe0434f4d, "CLR_EXCEPTION_2", "a managed (.NET 1 to 3.5) exception"},
    {0xe06d7363, "CPP_EXCEPTION", "a C++ exception"},
    {0x0eedfade, "DELPHI_EXCEPTION", "a Delphi exception"},
});
constexpr auto byCode = [](const auto& table, std::uint64_t code) -> std::optional<StatusWords> {
    const auto found = std::ranges::find(table, code, &StatusWords::code);
    return found == table.end() ? std::nullopt : std::optional(*found);
};

// winnt.h, FAST_FAIL_….
constexpr auto fastFailTable = std::to_array<StatusWords>({
    {0, "FAST_FAIL_LEGACY_GS_VIOLATION", "a stack cookie was overwritten"},
    {1, "FAST_FAIL_VTGUARD_CHECK_FAILURE", "a table of virtual functions was replaced"},
    {2, "FAST_FAIL_STACK_COOKIE_CHECK_FAILURE", "a stack cookie was overwritten"},
    {3, "FAST_FAIL_CORRUPT_LIST_ENTRY", "a doubly linked list is corrupt"},
    {4, "FAST_FAIL_INCORRECT_STACK", "the stack pointer is outside of the stack"},
    {5, "FAST_FAIL_INVALID_ARG", "an invalid argument"},
    {6, "FAST_FAIL_GS_COOKIE_INIT", "the stack cookie could not be made"},
    {7, "FAST_FAIL_FATAL_APP_EXIT", "the program ended itself (abort)"},
    {8, "FAST_FAIL_RANGE_CHECK_FAILURE", "an index is out of range"},
    {9, "FAST_FAIL_UNSAFE_REGISTRY_ACCESS", "unsafe access to the registry"},
    {10, "FAST_FAIL_GUARD_ICALL_CHECK_FAILURE", "control flow guard: a forbidden indirect call"},
    {11, "FAST_FAIL_GUARD_WRITE_CHECK_FAILURE", "a forbidden write"},
    {12, "FAST_FAIL_INVALID_FIBER_SWITCH", "an invalid switch of fibers"},
    {13, "FAST_FAIL_INVALID_SET_OF_CONTEXT", "an invalid context was set"},
    {14, "FAST_FAIL_INVALID_REFERENCE_COUNT", "an invalid reference count"},
    {18, "FAST_FAIL_INVALID_JUMP_BUFFER", "an invalid jump buffer"},
    {19, "FAST_FAIL_MRDATA_MODIFIED", "protected data was modified"},
    {20, "FAST_FAIL_CERTIFICATION_FAILURE", "certification failed"},
    {21, "FAST_FAIL_INVALID_EXCEPTION_CHAIN", "the chain of exception handlers is corrupt"},
    {22, "FAST_FAIL_CRYPTO_LIBRARY", "the cryptographic library"},
    {23, "FAST_FAIL_INVALID_CALL_IN_DLL_CALLOUT", "a call forbidden while a library is loaded"},
    {24, "FAST_FAIL_INVALID_IMAGE_BASE", "an invalid image base"},
    {25, "FAST_FAIL_DLOAD_PROTECTION_FAILURE", "protected delay-load data was changed"},
    {26, "FAST_FAIL_UNSAFE_EXTENSION_CALL", "an unsafe call of an extension"},
    {27, "FAST_FAIL_DEPRECATED_SERVICE_INVOKED", "a withdrawn service was called"},
    {28, "FAST_FAIL_INVALID_BUFFER_ACCESS", "a buffer was accessed outside of its bounds"},
    {29, "FAST_FAIL_INVALID_BALANCED_TREE", "a balanced tree is corrupt"},
    {30, "FAST_FAIL_INVALID_NEXT_THREAD", "an invalid next thread"},
    {31, "FAST_FAIL_GUARD_ICALL_CHECK_SUPPRESSED", "control flow guard, suppressed"},
    {32, "FAST_FAIL_APCS_DISABLED", "asynchronous calls are disabled"},
    {33, "FAST_FAIL_INVALID_IDLE_STATE", "an invalid idle state"},
    {35, "FAST_FAIL_UNEXPECTED_CALL", "an unexpected call"},
    {39, "FAST_FAIL_GUARD_JUMPTABLE", "control flow guard: a jump table"},
    {41, "FAST_FAIL_GUARD_SS_FAILURE", "the shadow stack differs"},
    {44, "FAST_FAIL_GUARD_EXPORT_SUPPRESSION_FAILURE", "control flow guard: a suppressed export"},
    {46, "FAST_FAIL_SET_CONTEXT_DENIED", "setting a context was denied"},
    {54, "FAST_FAIL_HEAP_METADATA_CORRUPTION", "the heap's own data is corrupt"},
    {57, "FAST_FAIL_CONTROL_INVALID_RETURN_ADDRESS", "an invalid return address"},
});

}  // namespace

std::optional<StatusWords> statusWords(std::uint32_t code) {
    return byCode(statusTable, code);
}

std::optional<StatusWords> fastFailWords(std::uint64_t reason) {
    return byCode(fastFailTable, reason);
}

}  // namespace icecore
