#include "formats/elfcore/core_text_specs.h"

#include <algorithm>
#include <array>

namespace icecore::elfcore {

namespace {

using enum FieldKind;

constexpr std::array header64 = {
    FieldSpec{"Ident", bytes, 16},         FieldSpec{"Type", count, 2},
    FieldSpec{"Machine", count, 2},        FieldSpec{"Version", count, 4},
    FieldSpec{"Entry", number, 8},         FieldSpec{"ProgramOffset", number, 8},
    FieldSpec{"SectionOffset", number, 8}, FieldSpec{"Flags", number, 4},
    FieldSpec{"HeaderSize", count, 2},     FieldSpec{"ProgramEntrySize", count, 2},
    FieldSpec{"ProgramCount", count, 2},   FieldSpec{"SectionEntrySize", count, 2},
    FieldSpec{"SectionCount", count, 2},   FieldSpec{"NameSection", count, 2},
};
constexpr std::array header32 = {
    FieldSpec{"Ident", bytes, 16},         FieldSpec{"Type", count, 2},
    FieldSpec{"Machine", count, 2},        FieldSpec{"Version", count, 4},
    FieldSpec{"Entry", number, 4},         FieldSpec{"ProgramOffset", number, 4},
    FieldSpec{"SectionOffset", number, 4}, FieldSpec{"Flags", number, 4},
    FieldSpec{"HeaderSize", count, 2},     FieldSpec{"ProgramEntrySize", count, 2},
    FieldSpec{"ProgramCount", count, 2},   FieldSpec{"SectionEntrySize", count, 2},
    FieldSpec{"SectionCount", count, 2},   FieldSpec{"NameSection", count, 2},
};
constexpr std::array program64 = {
    FieldSpec{"Type", number, 4},
    FieldSpec{"Flags", number, 4},
    FieldSpec{"Offset", number, 8},
    FieldSpec{"VirtualAddress", number, 8},
    FieldSpec{"PhysicalAddress", number, 8},
    FieldSpec{"FileSize", number, 8},
    FieldSpec{"MemorySize", number, 8},
    FieldSpec{"Alignment", number, 8},
};
constexpr std::array program32 = {
    FieldSpec{"Type", number, 4},           FieldSpec{"Offset", number, 4},
    FieldSpec{"VirtualAddress", number, 4}, FieldSpec{"PhysicalAddress", number, 4},
    FieldSpec{"FileSize", number, 4},       FieldSpec{"MemorySize", number, 4},
    FieldSpec{"Flags", number, 4},          FieldSpec{"Alignment", number, 4},
};
constexpr std::array section64 = {
    FieldSpec{"Name", number, 4},      FieldSpec{"Type", number, 4},
    FieldSpec{"Flags", number, 8},     FieldSpec{"Address", number, 8},
    FieldSpec{"Offset", number, 8},    FieldSpec{"Size", number, 8},
    FieldSpec{"Link", count, 4},       FieldSpec{"Info", count, 4},
    FieldSpec{"Alignment", number, 8}, FieldSpec{"EntrySize", number, 8},
};
/// Name: with its NUL and padding.
constexpr std::array note = {
    FieldSpec{"NameSize", count, 4},
    FieldSpec{"ContentSize", count, 4},
    FieldSpec{"Type", number, 4},
    FieldSpec{"Name", text, 0},
};
constexpr std::array statusX64 = {
    FieldSpec{"SignalNumber", signed_count, 4},
    FieldSpec{"SignalCode", signed_count, 4},
    FieldSpec{"SignalError", signed_count, 4},
    FieldSpec{"CurrentSignal", count, 2},
    FieldSpec{"Padding", bytes, 2},
    FieldSpec{"Pending", number, 8},
    FieldSpec{"Held", number, 8},
    FieldSpec{"Pid", count, 4},
    FieldSpec{"ParentPid", count, 4},
    FieldSpec{"ProcessGroup", count, 4},
    FieldSpec{"Session", count, 4},
    FieldSpec{"UserSeconds", count, 8},
    FieldSpec{"UserMicroseconds", count, 8},
    FieldSpec{"SystemSeconds", count, 8},
    FieldSpec{"SystemMicroseconds", count, 8},
    FieldSpec{"ChildrenTimes", bytes, 32},
    FieldSpec{"r15", number, 8},
    FieldSpec{"r14", number, 8},
    FieldSpec{"r13", number, 8},
    FieldSpec{"r12", number, 8},
    FieldSpec{"rbp", number, 8},
    FieldSpec{"rbx", number, 8},
    FieldSpec{"r11", number, 8},
    FieldSpec{"r10", number, 8},
    FieldSpec{"r9", number, 8},
    FieldSpec{"r8", number, 8},
    FieldSpec{"rax", number, 8},
    FieldSpec{"rcx", number, 8},
    FieldSpec{"rdx", number, 8},
    FieldSpec{"rsi", number, 8},
    FieldSpec{"rdi", number, 8},
    FieldSpec{"orig_rax", number, 8},
    FieldSpec{"rip", number, 8},
    FieldSpec{"cs", number, 8},
    FieldSpec{"eflags", number, 8},
    FieldSpec{"rsp", number, 8},
    FieldSpec{"ss", number, 8},
    FieldSpec{"fs_base", number, 8},
    FieldSpec{"gs_base", number, 8},
    FieldSpec{"ds", number, 8},
    FieldSpec{"es", number, 8},
    FieldSpec{"fs", number, 8},
    FieldSpec{"gs", number, 8},
    FieldSpec{"FloatingPointValid", count, 4},
    FieldSpec{"PaddingAtEnd", bytes, 4},
};
/// Any 64-bit architecture: the registers as bytes.
constexpr std::array status64 = {
    FieldSpec{"SignalNumber", signed_count, 4},
    FieldSpec{"SignalCode", signed_count, 4},
    FieldSpec{"SignalError", signed_count, 4},
    FieldSpec{"CurrentSignal", count, 2},
    FieldSpec{"Padding", bytes, 2},
    FieldSpec{"Pending", number, 8},
    FieldSpec{"Held", number, 8},
    FieldSpec{"Pid", count, 4},
    FieldSpec{"ParentPid", count, 4},
    FieldSpec{"ProcessGroup", count, 4},
    FieldSpec{"Session", count, 4},
    FieldSpec{"Times", bytes, 64},
    FieldSpec{"Registers", bytes, 0},
};
constexpr std::array processInfo64 = {
    FieldSpec{"State", count, 1},        FieldSpec{"StateLetter", text, 1},
    FieldSpec{"Zombie", count, 1},       FieldSpec{"Nice", signed_count, 1},
    FieldSpec{"Padding", bytes, 4},      FieldSpec{"Flags", number, 8},
    FieldSpec{"Uid", count, 4},          FieldSpec{"Gid", count, 4},
    FieldSpec{"Pid", count, 4},          FieldSpec{"ParentPid", count, 4},
    FieldSpec{"ProcessGroup", count, 4}, FieldSpec{"Session", count, 4},
    FieldSpec{"Name", text, 16},         FieldSpec{"Arguments", text, 80},
};
constexpr std::array signalInfo64 = {
    FieldSpec{"Number", signed_count, 4}, FieldSpec{"Error", signed_count, 4},
    FieldSpec{"Code", signed_count, 4},   FieldSpec{"Padding", bytes, 4},
    FieldSpec{"Address", number, 8},      FieldSpec{"Rest", bytes, 0},
};
constexpr std::array auxEntry64 = {FieldSpec{"Type", count, 8}, FieldSpec{"Value", number, 8}};
constexpr std::array fileList64 = {FieldSpec{"Count", count, 8}, FieldSpec{"Unit", count, 8}};
constexpr std::array fileEntry64 = {FieldSpec{"Begin", number, 8}, FieldSpec{"End", number, 8},
                                    FieldSpec{"Offset", number, 8}};
constexpr std::array ownText = {FieldSpec{"Text", text, 0}};
constexpr std::array unreadList = {FieldSpec{"Count", count, 8}, FieldSpec{"Total", count, 8}};
constexpr std::array unreadEntry = {FieldSpec{"Begin", number, 8}, FieldSpec{"End", number, 8}};

constexpr std::array section32 = {
    FieldSpec{"Name", number, 4},      FieldSpec{"Type", number, 4},
    FieldSpec{"Flags", number, 4},     FieldSpec{"Address", number, 4},
    FieldSpec{"Offset", number, 4},    FieldSpec{"Size", number, 4},
    FieldSpec{"Link", count, 4},       FieldSpec{"Info", count, 4},
    FieldSpec{"Alignment", number, 4}, FieldSpec{"EntrySize", number, 4},
};
constexpr std::array statusX86 = {
    FieldSpec{"SignalNumber", signed_count, 4},
    FieldSpec{"SignalCode", signed_count, 4},
    FieldSpec{"SignalError", signed_count, 4},
    FieldSpec{"CurrentSignal", count, 2},
    FieldSpec{"Padding", bytes, 2},
    FieldSpec{"Pending", number, 4},
    FieldSpec{"Held", number, 4},
    FieldSpec{"Pid", count, 4},
    FieldSpec{"ParentPid", count, 4},
    FieldSpec{"ProcessGroup", count, 4},
    FieldSpec{"Session", count, 4},
    FieldSpec{"UserSeconds", count, 4},
    FieldSpec{"UserMicroseconds", count, 4},
    FieldSpec{"SystemSeconds", count, 4},
    FieldSpec{"SystemMicroseconds", count, 4},
    FieldSpec{"ChildrenTimes", bytes, 16},
    FieldSpec{"ebx", number, 4},
    FieldSpec{"ecx", number, 4},
    FieldSpec{"edx", number, 4},
    FieldSpec{"esi", number, 4},
    FieldSpec{"edi", number, 4},
    FieldSpec{"ebp", number, 4},
    FieldSpec{"eax", number, 4},
    FieldSpec{"ds", number, 4},
    FieldSpec{"es", number, 4},
    FieldSpec{"fs", number, 4},
    FieldSpec{"gs", number, 4},
    FieldSpec{"orig_eax", number, 4},
    FieldSpec{"eip", number, 4},
    FieldSpec{"cs", number, 4},
    FieldSpec{"eflags", number, 4},
    FieldSpec{"esp", number, 4},
    FieldSpec{"ss", number, 4},
    FieldSpec{"FloatingPointValid", count, 4},
};
/// Any 32-bit architecture: the registers as bytes.
constexpr std::array status32 = {
    FieldSpec{"SignalNumber", signed_count, 4},
    FieldSpec{"SignalCode", signed_count, 4},
    FieldSpec{"SignalError", signed_count, 4},
    FieldSpec{"CurrentSignal", count, 2},
    FieldSpec{"Padding", bytes, 2},
    FieldSpec{"Pending", number, 4},
    FieldSpec{"Held", number, 4},
    FieldSpec{"Pid", count, 4},
    FieldSpec{"ParentPid", count, 4},
    FieldSpec{"ProcessGroup", count, 4},
    FieldSpec{"Session", count, 4},
    FieldSpec{"Times", bytes, 32},
    FieldSpec{"Registers", bytes, 0},
};
constexpr std::array processInfo32 = {
    FieldSpec{"State", count, 1},     FieldSpec{"StateLetter", text, 1},
    FieldSpec{"Zombie", count, 1},    FieldSpec{"Nice", signed_count, 1},
    FieldSpec{"Flags", number, 4},    FieldSpec{"Uid", count, 2},
    FieldSpec{"Gid", count, 2},       FieldSpec{"Pid", count, 4},
    FieldSpec{"ParentPid", count, 4}, FieldSpec{"ProcessGroup", count, 4},
    FieldSpec{"Session", count, 4},   FieldSpec{"Name", text, 16},
    FieldSpec{"Arguments", text, 80},
};
constexpr std::array signalInfo32 = {
    FieldSpec{"Number", signed_count, 4}, FieldSpec{"Error", signed_count, 4},
    FieldSpec{"Code", signed_count, 4},   FieldSpec{"Address", number, 4},
    FieldSpec{"Rest", bytes, 0},
};
constexpr std::array auxEntry32 = {FieldSpec{"Type", count, 4}, FieldSpec{"Value", number, 4}};
constexpr std::array fileList32 = {FieldSpec{"Count", count, 4}, FieldSpec{"Unit", count, 4}};
constexpr std::array fileEntry32 = {FieldSpec{"Begin", number, 4}, FieldSpec{"End", number, 4},
                                    FieldSpec{"Offset", number, 4}};

constexpr std::array specs = {
    StructSpec{"ELF64_HEADER", header64},
    StructSpec{"ELF32_HEADER", header32},
    StructSpec{"ELF64_PROGRAM", program64},
    StructSpec{"ELF32_PROGRAM", program32},
    StructSpec{"ELF64_SECTION", section64},
    StructSpec{"ELF32_SECTION", section32},
    StructSpec{"NOTE", note},
    StructSpec{"PRSTATUS_X64", statusX64},
    StructSpec{"PRSTATUS_X86", statusX86},
    StructSpec{"PRSTATUS_64", status64},
    StructSpec{"PRSTATUS_32", status32},
    StructSpec{"PRPSINFO_64", processInfo64},
    StructSpec{"PRPSINFO_32", processInfo32},
    StructSpec{"SIGINFO_64", signalInfo64},
    StructSpec{"SIGINFO_32", signalInfo32},
    StructSpec{"AUXV_64", auxEntry64},
    StructSpec{"AUXV_32", auxEntry32},
    StructSpec{"FILE_LIST_64", fileList64},
    StructSpec{"FILE_LIST_32", fileList32},
    StructSpec{"FILE_ENTRY_64", fileEntry64},
    StructSpec{"FILE_ENTRY_32", fileEntry32},
    StructSpec{"ICECORE_TEXT", ownText},
    StructSpec{"UNREAD_LIST", unreadList},
    StructSpec{"UNREAD_ENTRY", unreadEntry},
};

}  // namespace

std::span<const StructSpec> coreSpecs() {
    return specs;
}

const StructSpec& coreSpec(std::string_view name) {
    return *std::ranges::find(specs, name, &StructSpec::name);
}

}  // namespace icecore::elfcore
