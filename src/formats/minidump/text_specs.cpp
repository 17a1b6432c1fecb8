#include "formats/minidump/text_specs.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <vector>

#include "formats/minidump/layout.h"

namespace icecore::minidump {

namespace {

using enum FieldKind;

constexpr std::array header = {
    FieldSpec{"Signature", text, 4},        FieldSpec{"Version", number, 4},
    FieldSpec{"NumberOfStreams", count, 4}, FieldSpec{"StreamDirectoryRva", number, 4},
    FieldSpec{"CheckSum", number, 4},       FieldSpec{"TimeDateStamp", count, 4},
    FieldSpec{"Flags", number, 8},
};
constexpr std::array directory = {
    FieldSpec{"StreamType", number, 4},
    FieldSpec{"DataSize", count, 4},
    FieldSpec{"Rva", number, 4},
};
constexpr std::array string = {
    FieldSpec{"Length", count, 4},
    FieldSpec{"Buffer", utf16, 0},
};
constexpr std::array count32 = {FieldSpec{"Count", count, 4}};
constexpr std::array thread = {
    FieldSpec{"ThreadId", count, 4},      FieldSpec{"SuspendCount", count, 4},
    FieldSpec{"PriorityClass", count, 4}, FieldSpec{"Priority", signed_count, 4},
    FieldSpec{"Teb", number, 8},          FieldSpec{"StackStart", number, 8},
    FieldSpec{"StackSize", count, 4},     FieldSpec{"StackRva", number, 4},
    FieldSpec{"ContextSize", count, 4},   FieldSpec{"ContextRva", number, 4},
};
constexpr std::array threadEx = {
    FieldSpec{"ThreadId", count, 4},
    FieldSpec{"SuspendCount", count, 4},
    FieldSpec{"PriorityClass", count, 4},
    FieldSpec{"Priority", signed_count, 4},
    FieldSpec{"Teb", number, 8},
    FieldSpec{"StackStart", number, 8},
    FieldSpec{"StackSize", count, 4},
    FieldSpec{"StackRva", number, 4},
    FieldSpec{"ContextSize", count, 4},
    FieldSpec{"ContextRva", number, 4},
    FieldSpec{"BackingStoreStart", number, 8},
    FieldSpec{"BackingStoreSize", count, 4},
    FieldSpec{"BackingStoreRva", number, 4},
};
constexpr std::array module = {
    FieldSpec{"BaseOfImage", number, 8},      FieldSpec{"SizeOfImage", number, 4},
    FieldSpec{"CheckSum", number, 4},         FieldSpec{"TimeDateStamp", count, 4},
    FieldSpec{"ModuleNameRva", number, 4},    FieldSpec{"VersionSignature", number, 4},
    FieldSpec{"StrucVersion", number, 4},     FieldSpec{"FileVersionMS", number, 4},
    FieldSpec{"FileVersionLS", number, 4},    FieldSpec{"ProductVersionMS", number, 4},
    FieldSpec{"ProductVersionLS", number, 4}, FieldSpec{"FileFlagsMask", number, 4},
    FieldSpec{"FileFlags", number, 4},        FieldSpec{"FileOS", number, 4},
    FieldSpec{"FileType", number, 4},         FieldSpec{"FileSubtype", number, 4},
    FieldSpec{"FileDateMS", number, 4},       FieldSpec{"FileDateLS", number, 4},
    FieldSpec{"CvRecordSize", count, 4},      FieldSpec{"CvRecordRva", number, 4},
    FieldSpec{"MiscRecordSize", count, 4},    FieldSpec{"MiscRecordRva", number, 4},
    FieldSpec{"Reserved0", number, 8},        FieldSpec{"Reserved1", number, 8},
};
constexpr std::array buildIdRecord = {
    FieldSpec{"Signature", number, 4},
    FieldSpec{"BuildId", bytes, 0},
};
constexpr std::array pdbRecord = {
    FieldSpec{"Signature", text, 4},
    FieldSpec{"Guid", bytes, 16},
    FieldSpec{"Age", count, 4},
    FieldSpec{"PdbFileName", text, 0},
};
constexpr std::array unloadedModule = {
    FieldSpec{"BaseOfImage", number, 8},   FieldSpec{"SizeOfImage", number, 4},
    FieldSpec{"CheckSum", number, 4},      FieldSpec{"TimeDateStamp", count, 4},
    FieldSpec{"ModuleNameRva", number, 4},
};
constexpr std::array memoryDescriptor = {
    FieldSpec{"StartOfMemoryRange", number, 8},
    FieldSpec{"DataSize", count, 4},
    FieldSpec{"Rva", number, 4},
};
constexpr std::array memory64List = {
    FieldSpec{"NumberOfMemoryRanges", count, 8},
    FieldSpec{"BaseRva", number, 8},
};
constexpr std::array memoryDescriptor64 = {
    FieldSpec{"StartOfMemoryRange", number, 8},
    FieldSpec{"DataSize", count, 8},
};
constexpr std::array exception = {
    FieldSpec{"ThreadId", count, 4},
    FieldSpec{"Alignment", number, 4},
    FieldSpec{"ExceptionCode", number, 4},
    FieldSpec{"ExceptionFlags", number, 4},
    FieldSpec{"ExceptionRecord", number, 8},
    FieldSpec{"ExceptionAddress", number, 8},
    FieldSpec{"NumberParameters", count, 4},
    FieldSpec{"UnusedAlignment", number, 4},
    FieldSpec{"ExceptionInformation", bytes, 120},
    FieldSpec{"ContextSize", count, 4},
    FieldSpec{"ContextRva", number, 4},
};
constexpr std::array systemInfo = {
    FieldSpec{"ProcessorArchitecture", number, 2},
    FieldSpec{"ProcessorLevel", count, 2},
    FieldSpec{"ProcessorRevision", number, 2},
    FieldSpec{"NumberOfProcessors", count, 1},
    FieldSpec{"ProductType", count, 1},
    FieldSpec{"MajorVersion", count, 4},
    FieldSpec{"MinorVersion", count, 4},
    FieldSpec{"BuildNumber", count, 4},
    FieldSpec{"PlatformId", number, 4},
    FieldSpec{"CSDVersionRva", number, 4},
    FieldSpec{"SuiteMask", number, 2},
    FieldSpec{"Reserved2", number, 2},
    FieldSpec{"VendorId", text, 12},
    FieldSpec{"VersionInformation", number, 4},
    FieldSpec{"FeatureInformation", number, 4},
    FieldSpec{"AMDExtendedCpuFeatures", number, 4},
};
constexpr std::array listHeader = {
    FieldSpec{"SizeOfHeader", count, 4},
    FieldSpec{"SizeOfEntry", count, 4},
    FieldSpec{"NumberOfEntries", count, 4},
};
constexpr std::array listHeader64 = {
    FieldSpec{"SizeOfHeader", count, 4},
    FieldSpec{"SizeOfEntry", count, 4},
    FieldSpec{"NumberOfEntries", count, 8},
};
constexpr std::array memoryInfo = {
    FieldSpec{"BaseAddress", number, 8},       FieldSpec{"AllocationBase", number, 8},
    FieldSpec{"AllocationProtect", number, 4}, FieldSpec{"Alignment1", number, 4},
    FieldSpec{"RegionSize", number, 8},        FieldSpec{"State", number, 4},
    FieldSpec{"Protect", number, 4},           FieldSpec{"Type", number, 4},
    FieldSpec{"Alignment2", number, 4},
};
constexpr std::array threadInfo = {
    FieldSpec{"ThreadId", count, 4},      FieldSpec{"DumpFlags", number, 4},
    FieldSpec{"DumpError", number, 4},    FieldSpec{"ExitStatus", number, 4},
    FieldSpec{"CreateTime", number, 8},   FieldSpec{"ExitTime", number, 8},
    FieldSpec{"KernelTime", count, 8},    FieldSpec{"UserTime", count, 8},
    FieldSpec{"StartAddress", number, 8}, FieldSpec{"Affinity", number, 8},
};
constexpr std::array threadName = {
    FieldSpec{"ThreadId", count, 4},
    FieldSpec{"RvaOfThreadName", number, 8},
};
constexpr std::array handleHeader = {
    FieldSpec{"SizeOfHeader", count, 4},
    FieldSpec{"SizeOfDescriptor", count, 4},
    FieldSpec{"NumberOfDescriptors", count, 4},
    FieldSpec{"Reserved", number, 4},
};
constexpr std::array handle = {
    FieldSpec{"Handle", number, 8},        FieldSpec{"TypeNameRva", number, 4},
    FieldSpec{"ObjectNameRva", number, 4}, FieldSpec{"Attributes", number, 4},
    FieldSpec{"GrantedAccess", number, 4}, FieldSpec{"HandleCount", count, 4},
    FieldSpec{"PointerCount", count, 4},
};
constexpr std::array handle2 = {
    FieldSpec{"Handle", number, 8},        FieldSpec{"TypeNameRva", number, 4},
    FieldSpec{"ObjectNameRva", number, 4}, FieldSpec{"Attributes", number, 4},
    FieldSpec{"GrantedAccess", number, 4}, FieldSpec{"HandleCount", count, 4},
    FieldSpec{"PointerCount", count, 4},   FieldSpec{"ObjectInfoRva", number, 4},
    FieldSpec{"Reserved0", number, 4},
};
constexpr std::array textFile = {FieldSpec{"Text", text, 0}};
constexpr std::array dsoDebug64 = {
    FieldSpec{"version", count, 4},   FieldSpec{"map", number, 4},
    FieldSpec{"dso_count", count, 4}, FieldSpec{"brk", number, 8},
    FieldSpec{"ldbase", number, 8},   FieldSpec{"dynamic", number, 8},
};
constexpr std::array linkMap64 = {
    FieldSpec{"addr", number, 8},
    FieldSpec{"name", number, 4},
    FieldSpec{"ld", number, 8},
};
constexpr std::array dsoDebug32 = {
    FieldSpec{"version", count, 4},   FieldSpec{"map", number, 4},
    FieldSpec{"dso_count", count, 4}, FieldSpec{"brk", number, 4},
    FieldSpec{"ldbase", number, 4},   FieldSpec{"dynamic", number, 4},
};
constexpr std::array linkMap32 = {
    FieldSpec{"addr", number, 4},
    FieldSpec{"name", number, 4},
    FieldSpec{"ld", number, 4},
};
constexpr std::array threadState = {
    FieldSpec{"Id", count, 8},
    FieldSpec{"FsBase", number, 8},
    FieldSpec{"GsBase", number, 8},
    FieldSpec{"OriginalRax", number, 8},
    FieldSpec{"ThreadPointer", number, 8},
    FieldSpec{"PendingSignals", number, 8},
    FieldSpec{"BlockedSignals", number, 8},
    FieldSpec{"CurrentSignal", count, 4},
    FieldSpec{"Present", number, 4},
};
constexpr std::array unreadPointer = {FieldSpec{"Offset", number, 8}};
constexpr std::array unreadRange = {
    FieldSpec{"Start", number, 8},
    FieldSpec{"Size", number, 8},
    FieldSpec{"Absence", count, 4},
    FieldSpec{"Reserved", number, 4},
};
constexpr std::array zeroRange = {
    FieldSpec{"Start", number, 8},
    FieldSpec{"Size", number, 8},
};
// Only what stands out; the rest of the registers is in the hex of the last field.
constexpr std::array contextAmd64 = {
    FieldSpec{"Home", bytes, 48},  FieldSpec{"ContextFlags", number, 4},
    FieldSpec{"MxCsr", number, 4}, FieldSpec{"SegCs", number, 2},
    FieldSpec{"SegDs", number, 2}, FieldSpec{"SegEs", number, 2},
    FieldSpec{"SegFs", number, 2}, FieldSpec{"SegGs", number, 2},
    FieldSpec{"SegSs", number, 2}, FieldSpec{"EFlags", number, 4},
    FieldSpec{"Dr0", number, 8},   FieldSpec{"Dr1", number, 8},
    FieldSpec{"Dr2", number, 8},   FieldSpec{"Dr3", number, 8},
    FieldSpec{"Dr6", number, 8},   FieldSpec{"Dr7", number, 8},
    FieldSpec{"Rax", number, 8},   FieldSpec{"Rcx", number, 8},
    FieldSpec{"Rdx", number, 8},   FieldSpec{"Rbx", number, 8},
    FieldSpec{"Rsp", number, 8},   FieldSpec{"Rbp", number, 8},
    FieldSpec{"Rsi", number, 8},   FieldSpec{"Rdi", number, 8},
    FieldSpec{"R8", number, 8},    FieldSpec{"R9", number, 8},
    FieldSpec{"R10", number, 8},   FieldSpec{"R11", number, 8},
    FieldSpec{"R12", number, 8},   FieldSpec{"R13", number, 8},
    FieldSpec{"R14", number, 8},   FieldSpec{"R15", number, 8},
    FieldSpec{"Rip", number, 8},   FieldSpec{"Rest", bytes, 0},
};

constexpr std::array specs = {
    StructSpec{"MINIDUMP_HEADER", header},
    StructSpec{"MINIDUMP_DIRECTORY", directory},
    StructSpec{"MINIDUMP_STRING", string},
    StructSpec{"Count", count32},
    StructSpec{"MINIDUMP_THREAD", thread},
    StructSpec{"MINIDUMP_THREAD_EX", threadEx},
    StructSpec{"MINIDUMP_MODULE", module},
    StructSpec{"CV_BUILD_ID", buildIdRecord},
    StructSpec{"CV_INFO_PDB70", pdbRecord},
    StructSpec{"MINIDUMP_UNLOADED_MODULE", unloadedModule},
    StructSpec{"MINIDUMP_MEMORY_DESCRIPTOR", memoryDescriptor},
    StructSpec{"MINIDUMP_MEMORY64_LIST", memory64List},
    StructSpec{"MINIDUMP_MEMORY_DESCRIPTOR64", memoryDescriptor64},
    StructSpec{"MINIDUMP_EXCEPTION_STREAM", exception},
    StructSpec{"MINIDUMP_SYSTEM_INFO", systemInfo},
    StructSpec{"ListHeader", listHeader},
    StructSpec{"ListHeader64", listHeader64},
    StructSpec{"MINIDUMP_MEMORY_INFO", memoryInfo},
    StructSpec{"MINIDUMP_THREAD_INFO", threadInfo},
    StructSpec{"MINIDUMP_THREAD_NAME", threadName},
    StructSpec{"MINIDUMP_HANDLE_DATA_STREAM", handleHeader},
    StructSpec{"MINIDUMP_HANDLE_DESCRIPTOR", handle},
    StructSpec{"MINIDUMP_HANDLE_DESCRIPTOR_2", handle2},
    StructSpec{"Text", textFile},
    StructSpec{"MDRawDebug64", dsoDebug64},
    StructSpec{"MDRawLinkMap64", linkMap64},
    StructSpec{"MDRawDebug32", dsoDebug32},
    StructSpec{"MDRawLinkMap32", linkMap32},
    StructSpec{"IcecoreThreadState", threadState},
    StructSpec{"IcecoreUnreadPointer", unreadPointer},
    StructSpec{"IcecoreUnreadRange", unreadRange},
    StructSpec{"IcecoreZeroRange", zeroRange},
    StructSpec{"CONTEXT_AMD64", contextAmd64},
};

// The two descriptions of each layout must not drift apart.
static_assert(bytesIn(header) == sizeof(Header));
static_assert(bytesIn(directory) == sizeof(Directory));
static_assert(bytesIn(thread) == sizeof(RawThread));
static_assert(bytesIn(threadEx) == sizeof(RawThreadEx));
static_assert(bytesIn(module) == sizeof(RawModule));
static_assert(bytesIn(pdbRecord) == sizeof(CodeViewPdb70));
static_assert(bytesIn(unloadedModule) == sizeof(RawUnloadedModule));
static_assert(bytesIn(memoryDescriptor) == sizeof(MemoryDescriptor));
static_assert(bytesIn(memory64List) == sizeof(Memory64Header));
static_assert(bytesIn(exception) == sizeof(ExceptionStream));
static_assert(bytesIn(systemInfo) == sizeof(RawSystemInfo));
static_assert(bytesIn(listHeader) == sizeof(ListHeader));
static_assert(bytesIn(listHeader64) == sizeof(ListHeader64));
static_assert(bytesIn(memoryInfo) == sizeof(RawMemoryInfo));
static_assert(bytesIn(threadInfo) == sizeof(RawThreadInfo));
static_assert(bytesIn(threadName) == sizeof(RawThreadName));
static_assert(bytesIn(handleHeader) == sizeof(HandleHeader));
static_assert(bytesIn(handle2) == sizeof(HandleDescriptor2));
static_assert(bytesIn(dsoDebug64) == sizeof(DsoDebug64));
static_assert(bytesIn(linkMap64) == sizeof(LinkMap64));
static_assert(bytesIn(threadState) == sizeof(RawThreadState));
static_assert(bytesIn(unreadRange) == sizeof(UnreadRange));
static_assert(bytesIn(contextAmd64) == 0x100);

}  // namespace

std::span<const StructSpec> textSpecs() {
    static const std::vector<StructSpec> all = [] {
        std::vector<StructSpec> both(specs.begin(), specs.end());
        both.insert(both.end(), systemTextSpecs().begin(), systemTextSpecs().end());
        return both;
    }();
    return all;
}

const StructSpec& textSpec(std::string_view name) {
    const auto all = textSpecs();
    const auto found = std::ranges::find(all, name, &StructSpec::name);
    assert(found != all.end());
    return *found;
}

}  // namespace icecore::minidump
