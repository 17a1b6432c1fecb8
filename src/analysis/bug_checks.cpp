#include "analysis/bug_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/bug_check_names.h"
#include "analysis/windows_status.h"
#include "base/text.h"

namespace icecore {

namespace {

using Meanings = std::array<std::string_view, 4>;

struct Row {
    std::uint32_t code;
    std::string_view name, text;
    Meanings meanings;  ///< of the parameters; empty: not said
};

constexpr std::string_view exceptionCode = "exception code";
constexpr std::string_view irql = "IRQL";
constexpr std::string_view trapFrame = "trap frame";
constexpr std::string_view exceptionAddress = "address where the exception happened";
constexpr std::string_view accessKind = "0: read, 1: write, 2 or 8: execute";

// Names, numbers and the parameters' meanings: "Bug check code reference"
// (learn.microsoft.com/windows-hardware/drivers/debugger/bug-check-code-reference2).
constexpr auto rows = std::to_array<Row>({
    {0x01,
     "APC_INDEX_MISMATCH",
     "the APC state was left different by a system call",
     {"address of the system call", "thread's APC index", "", ""}},
    {0x0a,
     "IRQL_NOT_LESS_OR_EQUAL",
     "pageable or invalid memory was touched at a raised IRQL",
     {"memory referenced", irql, accessKind, "address that referenced it"}},
    {0x18,
     "REFERENCE_BY_POINTER",
     "an object's reference count is wrong",
     {"object type", "object", "reason", ""}},
    {0x19,
     "BAD_POOL_HEADER",
     "a pool header is corrupt",
     {"kind of corruption", "pool entry", "", ""}},
    {0x1a,
     "MEMORY_MANAGEMENT",
     "the memory manager found its data corrupt",
     {"kind of corruption", "", "", ""}},
    {0x1e,
     "KMODE_EXCEPTION_NOT_HANDLED",
     "kernel code raised an exception that nobody handled",
     {exceptionCode, exceptionAddress, "exception's parameter 0", "exception's parameter 1"}},
    {0x20,
     "KERNEL_APC_PENDING_DURING_EXIT",
     "a thread ended with APCs disabled",
     {"APC found", "disable count", irql, ""}},
    {0x24,
     "NTFS_FILE_SYSTEM",
     "the NTFS file system failed",
     {"source file and line", "exception record", "context record", ""}},
    {0x3b,
     "SYSTEM_SERVICE_EXCEPTION",
     "an exception in a system service",
     {exceptionCode, exceptionAddress, "context record", ""}},
    {0x3d,
     "INTERRUPT_EXCEPTION_NOT_HANDLED",
     "an exception in an interrupt's handler",
     {"exception record", "context record", "", ""}},
    {0x44, "MULTIPLE_IRP_COMPLETE_REQUESTS", "a request was completed twice", {"IRP", "", "", ""}},
    {0x4e,
     "PFN_LIST_CORRUPT",
     "the list of page frames is corrupt",
     {"kind of corruption", "", "", ""}},
    {0x50,
     "PAGE_FAULT_IN_NONPAGED_AREA",
     "invalid system memory was referenced",
     {"memory referenced", accessKind, "address that referenced it", ""}},
    {0x51, "REGISTRY_ERROR", "the registry failed", {"", "", "", ""}},
    {0x5c, "HAL_INITIALIZATION_FAILED", "the HAL could not be started", {"", "", "", ""}},
    {0x74, "BAD_SYSTEM_CONFIG_INFO", "the SYSTEM hive is damaged", {"", "", "", "status"}},
    {0x76,
     "PROCESS_HAS_LOCKED_PAGES",
     "a driver left pages locked",
     {"", "process", "locked pages", ""}},
    {0x77,
     "KERNEL_STACK_INPAGE_ERROR",
     "a kernel stack could not be read from the paging file",
     {"status", "", "", ""}},
    {0x7a,
     "KERNEL_DATA_INPAGE_ERROR",
     "kernel data could not be read from the paging file",
     {"lock type or page table entry", "status", "", "virtual address"}},
    {0x7b,
     "INACCESSIBLE_BOOT_DEVICE",
     "the boot device cannot be accessed",
     {"device object or name", "", "", ""}},
    {0x7e,
     "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED",
     "a system thread raised an exception",
     {exceptionCode, exceptionAddress, "exception record", "context record"}},
    {0x7f,
     "UNEXPECTED_KERNEL_MODE_TRAP",
     "the processor raised a trap the kernel cannot handle",
     {"trap number (8: double fault)", "", "", ""}},
    {0x8e,
     "KERNEL_MODE_EXCEPTION_NOT_HANDLED",
     "kernel code raised an exception",
     {exceptionCode, exceptionAddress, trapFrame, ""}},
    {0x9c, "MACHINE_CHECK_EXCEPTION", "the hardware reported an error", {"", "", "", ""}},
    {0x9f,
     "DRIVER_POWER_STATE_FAILURE",
     "a driver is in an inconsistent power state",
     {"kind (3: a request has been blocked too long)", "physical device object", "", "IRP"}},
    {0xa0, "INTERNAL_POWER_ERROR", "the power manager failed", {"", "", "", ""}},
    {0xa5, "ACPI_BIOS_ERROR", "the ACPI BIOS is not compliant", {"", "", "", ""}},
    {0xbe,
     "ATTEMPTED_WRITE_TO_READONLY_MEMORY",
     "a driver wrote to read-only memory",
     {"address", "page table entry", "", ""}},
    {0xc1,
     "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION",
     "special pool found memory corrupt",
     {"address", "", "", "kind"}},
    {0xc2, "BAD_POOL_CALLER", "a pool request was wrong", {"kind of violation", "", "", ""}},
    {0xc4,
     "DRIVER_VERIFIER_DETECTED_VIOLATION",
     "Driver Verifier found a violation",
     {"kind of violation", "", "", ""}},
    {0xc5,
     "DRIVER_CORRUPTED_EXPOOL",
     "a driver corrupted the pool",
     {"memory referenced", irql, accessKind, "address that referenced it"}},
    {0xc9,
     "DRIVER_VERIFIER_IOMANAGER_VIOLATION",
     "Driver Verifier found a violation of I/O",
     {"kind of violation", "", "", ""}},
    {0xce,
     "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS",
     "a driver was unloaded while work of its was pending",
     {"memory referenced", accessKind, "address that referenced it", ""}},
    {0xd1,
     "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
     "a driver touched pageable or invalid memory at a raised IRQL",
     {"memory referenced", irql, accessKind, "address that referenced it"}},
    {0xd5,
     "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL",
     "a driver used freed memory",
     {"memory referenced", accessKind, "address that referenced it", ""}},
    {0xda, "SYSTEM_PTE_MISUSE", "page table entries were misused", {"kind", "", "", ""}},
    {0xe2, "MANUALLY_INITIATED_CRASH", "somebody asked for this crash", {"", "", "", ""}},
    {0xef,
     "CRITICAL_PROCESS_DIED",
     "a process that Windows cannot do without died",
     {"process", "0: a process, 1: a thread", "", ""}},
    {0xf4,
     "CRITICAL_OBJECT_TERMINATION",
     "a process or thread that is critical ended",
     {"kind of object", "object", "image name", ""}},
    {0xf7,
     "DRIVER_OVERRAN_STACK_BUFFER",
     "a driver overran a buffer on the stack",
     {"cookie found", "cookie expected", "its complement", ""}},
    {0xfc,
     "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY",
     "memory without code was executed",
     {"address", "page table entry", "", ""}},
    {0x101,
     "CLOCK_WATCHDOG_TIMEOUT",
     "a processor does not answer clock interrupts",
     {"ticks", "", "KPRCB of the processor", "its number"}},
    {0x109,
     "CRITICAL_STRUCTURE_CORRUPTION",
     "kernel code or data was changed",
     {"", "", "what was changed", "kind of region"}},
    {0x10d,
     "WDF_VIOLATION",
     "the driver framework found an error in a driver",
     {"kind of violation", "", "", ""}},
    {0x10e,
     "VIDEO_MEMORY_MANAGEMENT_INTERNAL",
     "the manager of video memory failed",
     {"kind", "", "", ""}},
    {0x113, "VIDEO_DXGKRNL_FATAL_ERROR", "the graphics kernel failed", {"", "", "", ""}},
    {0x116,
     "VIDEO_TDR_FAILURE",
     "the display driver did not recover in time",
     {"recovery context", "address in the driver", "status", ""}},
    {0x117,
     "VIDEO_TDR_TIMEOUT_DETECTED",
     "the display driver did not answer in time",
     {"recovery context", "address in the driver", "", ""}},
    {0x119, "VIDEO_SCHEDULER_INTERNAL_ERROR", "the video scheduler failed", {"kind", "", "", ""}},
    {0x124,
     "WHEA_UNCORRECTABLE_ERROR",
     "the hardware reported an error it could not correct",
     {"source (0: machine check)", "error record", "", ""}},
    {0x133,
     "DPC_WATCHDOG_VIOLATION",
     "deferred procedure calls ran too long",
     {"0: one call, 1: all together", "time spent, in ticks", "time allowed, in ticks", ""}},
    {0x139,
     "KERNEL_SECURITY_CHECK_FAILURE",
     "the kernel found a data structure corrupt",
     {"fast fail reason", trapFrame, "exception record", ""}},
    {0x13a,
     "KERNEL_MODE_HEAP_CORRUPTION",
     "the kernel's heap is corrupt",
     {"kind", "heap", "address of the corruption", ""}},
    {0x144, "BUGCODE_USB3_DRIVER", "the USB 3 driver failed", {"kind", "", "", ""}},
    {0x154,
     "UNEXPECTED_STORE_EXCEPTION",
     "the memory compression store failed",
     {"store context", "exception information", "", ""}},
    {0x15f, "CONNECTED_STANDBY_WATCHDOG_TIMEOUT_LIVEDUMP", "standby did not go on", {}},
    {0x161, "LIVE_SYSTEM_DUMP", "nothing failed: a dump of the running system", {}},
    {0x1ca, "SYNTHETIC_WATCHDOG_TIMEOUT", "a watchdog of a virtual machine ran out", {}},
    {0xc000021a, "WINLOGON_FATAL_ERROR", "Winlogon or the session manager ended", {"", "", "", ""}},
    {0xdeaddead, "MANUALLY_INITIATED_CRASH1", "somebody asked for this crash", {"", "", "", ""}},
});

}  // namespace

BugCheck explainBugCheck(std::uint32_t code, const std::vector<std::uint64_t>& parameters) {
    BugCheck out;
    out.code = code;
    // Bit 28 marks those of the same kind that a thread of the system raised (…_M).
    constexpr std::uint32_t variant = 0x10000000;
    auto row = std::ranges::find(rows, code, &Row::code);
    const bool isVariant = row == rows.end() && (code & variant) != 0;
    if (isVariant) row = std::ranges::find(rows, code & ~variant, &Row::code);
    const bool known = row != rows.end();
    if (known) {
        out.name = std::string(row->name) + (isVariant ? "_M" : "");
        out.text = row->text;
    } else {
        const auto named = std::ranges::find(bugCheckNames, code & ~variant, &BugCheckName::code);
        out.name = named != bugCheckNames.end()
                       ? std::string(named->name) + ((code & variant) != 0 ? "_M" : "")
                       : hex(code);
        out.text = named != bugCheckNames.end() ? "its parameters are not explained here"
                                                : "a bug check without a known name";
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(parameters.size(), 4); ++i) {
        std::string text = hex(parameters[i]);
        const std::string_view meaning = known ? row->meanings[i] : std::string_view();
        if (!meaning.empty()) text += fmt::format(", {}", meaning);
        if (meaning == irql) out.irql = parameters[i];
        if (meaning == trapFrame) out.trapFrame = parameters[i];
        if (meaning == exceptionCode) {
            if (const auto words = statusWords(static_cast<std::uint32_t>(parameters[i])))
                text += fmt::format(": {}", words->name);
        } else if (meaning == "fast fail reason") {
            if (const auto words = fastFailWords(parameters[i]))
                text += fmt::format(": {}", words->name);
        }
        out.parameters.push_back(std::move(text));
    }
    return out;
}

std::string bugCheckingDriver(const Exception& exception, const NamedStack& stack) {
    constexpr std::array<std::string_view, 5> kernels = {"ntoskrnl.exe", "ntkrnlmp.exe",
                                                         "ntkrnlpa.exe", "ntkrpamp.exe", "hal.dll"};
    // Registers of a fault: whoever stands there did not ask for anything.
    if (exception.context) return {};
    for (const NamedFrame& frame : stack.frames) {
        if (frame.module == nullptr) return {};
        const std::string name(frame.module->fileName());
        const bool kernel = std::ranges::any_of(
            kernels, [&](std::string_view one) { return equalsIgnoreCase(one, name); });
        if (!kernel) return frame.physical == 0 ? std::string() : name;
    }
    return {};
}

std::vector<std::uint32_t> explainedBugChecks() {
    std::vector<std::uint32_t> codes;
    codes.reserve(std::size(rows));
    for (const Row& row : rows)
        codes.push_back(row.code);
    return codes;
}

}  // namespace icecore
