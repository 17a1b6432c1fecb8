#include "formats/winkernel/text_specs.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "formats/winkernel/layout.h"

namespace icecore::winkernel {

namespace {

using enum FieldKind;

constexpr std::array header64 = {
    FieldSpec{"Signature", text, 4},
    FieldSpec{"ValidDump", text, 4},
    FieldSpec{"MajorVersion", count, 4},
    FieldSpec{"MinorVersion", count, 4},
    FieldSpec{"DirectoryTableBase", number, 8},
    FieldSpec{"PfnDataBase", number, 8},
    FieldSpec{"PsLoadedModuleList", number, 8},
    FieldSpec{"PsActiveProcessHead", number, 8},
    FieldSpec{"MachineImageType", number, 4},
    FieldSpec{"NumberProcessors", count, 4},
    FieldSpec{"BugCheckCode", number, 4},
    FieldSpec{"Padding0", number, 4},
    FieldSpec{"BugCheckParameter1", number, 8},
    FieldSpec{"BugCheckParameter2", number, 8},
    FieldSpec{"BugCheckParameter3", number, 8},
    FieldSpec{"BugCheckParameter4", number, 8},
    FieldSpec{"VersionUser", text, 32},
    FieldSpec{"KdDebuggerDataBlock", number, 8},
    FieldSpec{"NumberOfRuns", count, 4},
    FieldSpec{"Padding1", number, 4},
    FieldSpec{"NumberOfPages", count, 8},
    FieldSpec{"Runs", bytes, 684},
    FieldSpec{"Padding2", number, 4},
    FieldSpec{"ContextRecord", bytes, 3000},
    FieldSpec{"Exception", bytes, 152},
    FieldSpec{"DumpType", number, 4},
    FieldSpec{"Padding3", number, 4},
    FieldSpec{"RequiredDumpSpace", count, 8},
    FieldSpec{"SystemTime", number, 8},
    FieldSpec{"Comment", text, 128},
    FieldSpec{"SystemUpTime", count, 8},
    FieldSpec{"MiniDumpFields", number, 4},
    FieldSpec{"SecondaryDataState", number, 4},
    FieldSpec{"ProductType", number, 4},
    FieldSpec{"SuiteMask", number, 4},
    FieldSpec{"WriterStatus", number, 4},
};
constexpr std::array header32 = {
    FieldSpec{"Signature", text, 4},
    FieldSpec{"ValidDump", text, 4},
    FieldSpec{"MajorVersion", count, 4},
    FieldSpec{"MinorVersion", count, 4},
    FieldSpec{"DirectoryTableBase", number, 4},
    FieldSpec{"PfnDataBase", number, 4},
    FieldSpec{"PsLoadedModuleList", number, 4},
    FieldSpec{"PsActiveProcessHead", number, 4},
    FieldSpec{"MachineImageType", number, 4},
    FieldSpec{"NumberProcessors", count, 4},
    FieldSpec{"BugCheckCode", number, 4},
    FieldSpec{"BugCheckParameter1", number, 4},
    FieldSpec{"BugCheckParameter2", number, 4},
    FieldSpec{"BugCheckParameter3", number, 4},
    FieldSpec{"BugCheckParameter4", number, 4},
    FieldSpec{"VersionUser", text, 32},
    FieldSpec{"PaeEnabled", count, 1},
    FieldSpec{"KdSecondaryVersion", count, 1},
    FieldSpec{"Padding0", number, 2},
    FieldSpec{"KdDebuggerDataBlock", number, 4},
    FieldSpec{"NumberOfRuns", count, 4},
    FieldSpec{"NumberOfPages", count, 4},
    FieldSpec{"Runs", bytes, 692},
    FieldSpec{"ContextRecord", bytes, 1200},
    FieldSpec{"Exception", bytes, 80},
    FieldSpec{"Comment", text, 128},
    FieldSpec{"Reserved0", bytes, 1768},
    FieldSpec{"DumpType", number, 4},
    FieldSpec{"MiniDumpFields", number, 4},
    FieldSpec{"SecondaryDataState", number, 4},
    FieldSpec{"ProductType", number, 4},
    FieldSpec{"SuiteMask", number, 4},
    FieldSpec{"WriterStatus", number, 4},
    FieldSpec{"RequiredDumpSpace", count, 8},
    FieldSpec{"Reserved1", bytes, 16},
    FieldSpec{"SystemUpTime", count, 8},
    FieldSpec{"SystemTime", number, 8},
    FieldSpec{"Reserved2", bytes, 56},
};
constexpr std::array bitmap = {
    FieldSpec{"Signature", text, 4},          FieldSpec{"ValidDump", text, 4},
    FieldSpec{"Unknown", bytes, 24},          FieldSpec{"FirstPage", number, 8},
    FieldSpec{"TotalPresentPages", count, 8}, FieldSpec{"Pages", count, 8},
};
constexpr std::array summary64 = {
    FieldSpec{"Signature", text, 4},     FieldSpec{"ValidDump", text, 4},
    FieldSpec{"DumpOptions", number, 4}, FieldSpec{"HeaderSize", number, 4},
    FieldSpec{"BitmapSize", count, 4},   FieldSpec{"Pages", count, 4},
    FieldSpec{"SizeOfBitMap", count, 4}, FieldSpec{"Padding", number, 4},
    FieldSpec{"Buffer", number, 8},
};
constexpr std::array summary32 = {
    FieldSpec{"Signature", text, 4},     FieldSpec{"ValidDump", text, 4},
    FieldSpec{"DumpOptions", number, 4}, FieldSpec{"HeaderSize", number, 4},
    FieldSpec{"BitmapSize", count, 4},   FieldSpec{"Pages", count, 4},
    FieldSpec{"SizeOfBitMap", count, 4}, FieldSpec{"Buffer", number, 4},
};
constexpr std::array ranges = {
    FieldSpec{"Marker", number, 4},        FieldSpec{"Signature", text, 4},
    FieldSpec{"ValidDump", text, 4},       FieldSpec{"Unknown", number, 4},
    FieldSpec{"MetadataSize", number, 8},  FieldSpec{"FirstPageOffset", number, 8},
    FieldSpec{"NumberOfRanges", count, 8}, FieldSpec{"TotalNumberOfPages", count, 8},
};
constexpr std::array range = {
    FieldSpec{"PageFrameNumber", number, 8},
    FieldSpec{"NumberOfPages", count, 8},
};
constexpr std::array triage64 = {
    FieldSpec{"ServicePackBuild", count, 4},
    FieldSpec{"SizeOfDump", count, 4},
    FieldSpec{"ValidOffset", number, 4},
    FieldSpec{"ContextOffset", number, 4},
    FieldSpec{"ExceptionOffset", number, 4},
    FieldSpec{"MmOffset", number, 4},
    FieldSpec{"UnloadedDriversOffset", number, 4},
    FieldSpec{"PrcbOffset", number, 4},
    FieldSpec{"ProcessOffset", number, 4},
    FieldSpec{"ThreadOffset", number, 4},
    FieldSpec{"CallStackOffset", number, 4},
    FieldSpec{"SizeOfCallStack", count, 4},
    FieldSpec{"DriverListOffset", number, 4},
    FieldSpec{"DriverCount", count, 4},
    FieldSpec{"StringPoolOffset", number, 4},
    FieldSpec{"StringPoolSize", count, 4},
    FieldSpec{"BrokenDriverOffset", number, 4},
    FieldSpec{"TriageOptions", number, 4},
    FieldSpec{"TopOfStack", number, 8},
    FieldSpec{"ArchitectureSpecific", bytes, 16},
    FieldSpec{"DataPageAddress", number, 8},
    FieldSpec{"DataPageOffset", number, 4},
    FieldSpec{"DataPageSize", count, 4},
    FieldSpec{"DebuggerDataOffset", number, 4},
    FieldSpec{"DebuggerDataSize", count, 4},
    FieldSpec{"DataBlocksOffset", number, 4},
    FieldSpec{"DataBlocksCount", count, 4},
};
constexpr std::array triage32 = {
    FieldSpec{"ServicePackBuild", count, 4},
    FieldSpec{"SizeOfDump", count, 4},
    FieldSpec{"ValidOffset", number, 4},
    FieldSpec{"ContextOffset", number, 4},
    FieldSpec{"ExceptionOffset", number, 4},
    FieldSpec{"MmOffset", number, 4},
    FieldSpec{"UnloadedDriversOffset", number, 4},
    FieldSpec{"PrcbOffset", number, 4},
    FieldSpec{"ProcessOffset", number, 4},
    FieldSpec{"ThreadOffset", number, 4},
    FieldSpec{"CallStackOffset", number, 4},
    FieldSpec{"SizeOfCallStack", count, 4},
    FieldSpec{"DriverListOffset", number, 4},
    FieldSpec{"DriverCount", count, 4},
    FieldSpec{"StringPoolOffset", number, 4},
    FieldSpec{"StringPoolSize", count, 4},
    FieldSpec{"BrokenDriverOffset", number, 4},
    FieldSpec{"TriageOptions", number, 4},
    FieldSpec{"TopOfStack", number, 4},
    FieldSpec{"DataPageAddress", number, 4},
    FieldSpec{"DataPageOffset", number, 4},
    FieldSpec{"DataPageSize", count, 4},
    FieldSpec{"DebuggerDataOffset", number, 4},
    FieldSpec{"DebuggerDataSize", count, 4},
    FieldSpec{"DataBlocksOffset", number, 4},
    FieldSpec{"DataBlocksCount", count, 4},
};
constexpr std::array block = {
    FieldSpec{"Address", number, 8},
    FieldSpec{"Offset", number, 4},
    FieldSpec{"Size", count, 4},
};
constexpr std::array driver64 = {
    FieldSpec{"DriverNameOffset", number, 4},
    FieldSpec{"Alignment", number, 4},
    FieldSpec{"Flink", number, 8},
    FieldSpec{"Blink", number, 8},
    FieldSpec{"ExceptionTable", number, 8},
    FieldSpec{"ExceptionTableSize", number, 4},
    FieldSpec{"Padding0", number, 4},
    FieldSpec{"GpValue", number, 8},
    FieldSpec{"NonPagedDebugInfo", number, 8},
    FieldSpec{"DllBase", number, 8},
    FieldSpec{"EntryPoint", number, 8},
    FieldSpec{"SizeOfImage", number, 4},
    FieldSpec{"Padding1", number, 4},
    FieldSpec{"FullDllName", bytes, 16},
    FieldSpec{"BaseDllName", bytes, 16},
    FieldSpec{"Flags", number, 4},
    FieldSpec{"LoadCount", count, 2},
    FieldSpec{"Undefined5", number, 2},
    FieldSpec{"Undefined6", number, 8},
    FieldSpec{"CheckSum", number, 4},
    FieldSpec{"Padding2", number, 4},
    FieldSpec{"TimeDateStamp", number, 4},
    FieldSpec{"Padding3", number, 4},
};
constexpr std::array driver32 = {
    FieldSpec{"DriverNameOffset", number, 4},
    FieldSpec{"Flink", number, 4},
    FieldSpec{"Blink", number, 4},
    FieldSpec{"ExceptionTable", number, 4},
    FieldSpec{"ExceptionTableSize", number, 4},
    FieldSpec{"GpValue", number, 4},
    FieldSpec{"NonPagedDebugInfo", number, 4},
    FieldSpec{"DllBase", number, 4},
    FieldSpec{"EntryPoint", number, 4},
    FieldSpec{"SizeOfImage", number, 4},
    FieldSpec{"FullDllName", bytes, 8},
    FieldSpec{"BaseDllName", bytes, 8},
    FieldSpec{"Flags", number, 4},
    FieldSpec{"LoadCount", count, 2},
    FieldSpec{"Undefined5", number, 2},
    FieldSpec{"Undefined6", number, 4},
    FieldSpec{"CheckSum", number, 4},
    FieldSpec{"TimeDateStamp", number, 4},
};
constexpr std::array unloaded64 = {
    FieldSpec{"NameLength", count, 2},  FieldSpec{"NameRoom", count, 2},
    FieldSpec{"Padding", number, 4},    FieldSpec{"NameBuffer", number, 8},
    FieldSpec{"DriverName", utf16, 24}, FieldSpec{"StartAddress", number, 8},
    FieldSpec{"EndAddress", number, 8},
};
constexpr std::array unloaded32 = {
    FieldSpec{"NameLength", count, 2},    FieldSpec{"NameRoom", count, 2},
    FieldSpec{"NameBuffer", number, 4},   FieldSpec{"DriverName", utf16, 24},
    FieldSpec{"StartAddress", number, 4}, FieldSpec{"EndAddress", number, 4},
};
constexpr std::array string = {
    FieldSpec{"Length", count, 4},
    FieldSpec{"Buffer", utf16, 0},
};
constexpr std::array count32 = {
    FieldSpec{"Count", count, 4},
};
constexpr std::array count64 = {
    FieldSpec{"Count", count, 8},
};

constexpr std::array specs = {
    StructSpec{"DUMP_HEADER64", header64},
    StructSpec{"DUMP_HEADER32", header32},
    StructSpec{"BITMAP_DUMP", bitmap},
    StructSpec{"SUMMARY_DUMP64", summary64},
    StructSpec{"SUMMARY_DUMP32", summary32},
    StructSpec{"RDMP_HEADER64", ranges},
    StructSpec{"PFN_RANGE", range},
    StructSpec{"TRIAGE_DUMP64", triage64},
    StructSpec{"TRIAGE_DUMP32", triage32},
    StructSpec{"TRIAGE_DATA_BLOCK", block},
    StructSpec{"DUMP_DRIVER_ENTRY64", driver64},
    StructSpec{"DUMP_DRIVER_ENTRY32", driver32},
    StructSpec{"DUMP_UNLOADED_DRIVERS64", unloaded64},
    StructSpec{"DUMP_UNLOADED_DRIVERS32", unloaded32},
    StructSpec{"DUMP_STRING", string},
    StructSpec{"Count", count32},
    StructSpec{"Count64", count64},
};

// The two descriptions of each layout must not drift apart.
constexpr std::uint64_t bytesIn(std::span<const FieldSpec> fields) {
    std::uint64_t size = 0;
    for (const FieldSpec& field : fields)
        size += field.size;
    return size;
}
static_assert(bytesIn(header64) == offsetof(Header64, writerStatus) + sizeof(Le32));
static_assert(bytesIn(header32) == sizeof(Header32));
static_assert(bytesIn(bitmap) == sizeof(BitmapHeader));
static_assert(bytesIn(summary64) == sizeof(SummaryHeader64));
static_assert(bytesIn(summary32) == sizeof(SummaryHeader32));
static_assert(bytesIn(ranges) == sizeof(RangesHeader));
static_assert(bytesIn(range) == sizeof(PageRange));
static_assert(bytesIn(triage64) == sizeof(TriageHeader));
static_assert(bytesIn(triage32) == sizeof(TriageHeader32));
static_assert(bytesIn(block) == sizeof(TriageBlock));
static_assert(bytesIn(driver64) == sizeof(TriageDriver64));
static_assert(bytesIn(driver32) == sizeof(TriageDriver32));
static_assert(bytesIn(unloaded64) == sizeof(UnloadedDriver64));
static_assert(bytesIn(unloaded32) == sizeof(UnloadedDriver32));
static_assert(bytesIn(count32) == sizeof(Le32));
static_assert(bytesIn(count64) == sizeof(Le64));

}  // namespace

std::span<const StructSpec> textSpecs() {
    return specs;
}

const StructSpec& textSpec(std::string_view name) {
    const auto found = std::ranges::find(specs, name, &StructSpec::name);
    assert(found != specs.end());
    return *found;
}

}  // namespace icecore::winkernel
