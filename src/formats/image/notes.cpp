// ELF notes as dumps of kernels carry them: CPUs and VMCOREINFO.
// Sources: Linux' kernel/crash_core.c and fs/proc/vmcore.c; QEMU's target/i386/arch_dump.c;
// VirtualBox' include/VBox/vmm/dbgfcorefmt.h.
#include "base/text.h"
#include "bytes/elf_layout.h"
#include "formats/elfcore/core_layout.h"
#include "formats/elfcore/core_note_writer.h"
#include "formats/elfcore/core_registers.h"
#include "formats/image/image.h"
#include "formats/image/translation.h"
#include "images/elf_image.h"

namespace icecore::image {

namespace {

/// QEMU's X86 CPU state: version and size, 18 registers, ten segments of 24 bytes, cr0 … cr4.
constexpr std::uint64_t qemuControlRegisters = 8 + 18 * 8 + 10 * 24;
constexpr std::uint64_t qemuStateSize = 0x1b8;
constexpr std::uint32_t qemuStateVersion = 1;
/// VirtualBox' VBCORE: magic, version of the format, own size, version, revision, CPUs (u32 each).
constexpr std::uint32_t virtualBoxMagic = 0xc01ac0de;
/// VBCPU: eighteen registers, six segments of 24 bytes (their selector at 16), cr0, cr2, cr3, cr4.
constexpr std::size_t segmentSize = 24, segmentBaseAt = 0, selectorAt = 16;
constexpr std::uint64_t fiveLevels = std::uint64_t{1} << 12;        ///< CR4.LA57
constexpr std::uint64_t physicalExtension = std::uint64_t{1} << 5;  ///< CR4.PAE
constexpr std::size_t maxHints = 2000;
constexpr std::size_t maxCpus = 65536;

/// Of which machine the registers of an NT_PRSTATUS are, where the file does not say: its size is
/// head, registers and a word behind them.
Arch archOfStatus(std::size_t size) {
    for (const Arch arch : {Arch::x86_64, Arch::arm64}) {
        if (size == sizeof(elfcore::PrStatus64) + elfcore::registerBytes(arch) + 8) return arch;
    }
    return size == sizeof(elfcore::PrStatus32) + elfcore::registerBytes(Arch::x86) + 4
               ? Arch::x86
               : Arch::unknown;
}

void takeStatus(Snapshot& snapshot, const ElfNote& note) {
    Machine& machine = *snapshot.machine;
    Arch& arch = machine.system.arch;
    if (arch == Arch::unknown) arch = archOfStatus(note.content.size());
    if (elfcore::registerSlots(arch).empty()) return;
    Cursor cursor(note.content);
    const bool narrow = arch == Arch::x86 || arch == Arch::arm;
    cursor.skip(narrow ? sizeof(elfcore::PrStatus32) : sizeof(elfcore::PrStatus64));
    Machine::Cpu cpu;
    cpu.number = static_cast<std::uint32_t>(machine.cpus.size());
    cpu.context.registers = elfcore::readRegisters(cursor, arch);
    if (cursor.ok() && machine.cpus.size() < maxCpus) machine.cpus.items.push_back(std::move(cpu));
}

void takeVirtualBox(Snapshot& snapshot, const ElfNote& note) {
    Cursor cursor(note.content);
    if (cursor.u32() != virtualBoxMagic) return;
    cursor.skip(8);
    const std::uint32_t version = cursor.u32();
    const std::uint32_t revision = cursor.u32();
    const std::uint32_t cpus = cursor.u32();
    if (!cursor.ok()) return;
    snapshot.provenance.tool = "VirtualBox " + std::to_string(version >> 24) + "." +
                               std::to_string(version >> 16 & 0xff) + "." +
                               std::to_string(version & 0xffff) + " r" + std::to_string(revision);
    snapshot.provenance.consistency = Consistency::frozen;
    snapshot.machine->system.cpuCount = cpus;
}

void takeVirtualBoxCpu(Snapshot& snapshot, const ElfNote& note) {
    static constexpr std::array<RegisterId, 18> general = {
        x64::rax, x64::rbx, x64::rcx, x64::rdx, x64::rsi, x64::rdi,
        x64::r8,  x64::r9,  x64::r10, x64::r11, x64::r12, x64::r13,
        x64::r14, x64::r15, x64::rip, x64::rsp, x64::rbp, x64::eflags};
    static constexpr std::array<RegisterId, 6> segments = {x64::cs, x64::ds, x64::es,
                                                           x64::fs, x64::gs, x64::ss};
    Machine& machine = *snapshot.machine;
    Machine::Cpu cpu;
    cpu.number = static_cast<std::uint32_t>(machine.cpus.size());
    Registers registers(Arch::x86_64);
    Cursor cursor(note.content);
    for (const RegisterId id : general)
        registers.set(id, cursor.u64());
    for (const RegisterId id : segments) {
        Cursor segment(cursor.bytes(segmentSize));
        segment.seek(segmentBaseAt);
        const std::uint64_t base = segment.u64();
        if (id == x64::fs) registers.set(x64::fs_base, base);
        if (id == x64::gs) registers.set(x64::gs_base, base);
        segment.seek(selectorAt);
        registers.set(id, segment.u16());
    }
    cursor.skip(2 * sizeof(std::uint64_t));
    cpu.translationRoot = cursor.u64();
    cpu.context.registers = registers;
    machine.system.arch = Arch::x86_64;
    if (cursor.ok() && machine.cpus.size() < maxCpus) machine.cpus.items.push_back(std::move(cpu));
}

}  // namespace

void setKernelInfo(Snapshot& snapshot, SharedBytes text) {
    Machine& machine = *snapshot.machine;
    for (const std::string_view line : split(text.text(), '\n')) {
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos || machine.hints.size() >= maxHints) continue;
        machine.hints.emplace(trim(line.substr(0, equals)), trim(line.substr(equals + 1)));
    }
    if (const auto release = machine.hints.find("OSRELEASE"); release != machine.hints.end()) {
        machine.system.os = Os::linux_os;
        machine.system.version = release->second;
    }
    if (snapshot.attachment(kernelInfoAttachment) == nullptr)
        snapshot.attachments.push_back({std::string(kernelInfoAttachment), std::move(text)});
}

void takeNotes(Snapshot& snapshot, const SharedBytes& notes, const std::string& where) {
    if (notes.empty()) return;
    std::string damage;
    std::size_t qemuCpu = 0;
    Machine& machine = *snapshot.machine;
    for (const ElfNote& note : parseNotes(ByteView(notes.span(), where), 4, &damage)) {
        if (note.name == "VMCOREINFO") {
            setKernelInfo(snapshot, SharedBytes::own(std::string(
                                        reinterpret_cast<const char*>(note.content.data()),
                                        note.content.size())));
        } else if (note.name == "CORE" && note.type == elf::notePrStatus) {
            takeStatus(snapshot, note);
        } else if (note.name == "QEMU" && note.content.size() >= qemuStateSize) {
            Cursor cursor(note.content);
            cursor.seek(qemuControlRegisters + 3 * 8);
            const std::uint64_t cr3 = cursor.u64();
            const std::uint64_t cr4 = cursor.u64();
            const bool narrow = machine.system.arch == Arch::x86;
            machine.hints.emplace(levelsHint, narrow ? (cr4 & physicalExtension) != 0 ? "3" : "2"
                                              : (cr4 & fiveLevels) != 0 ? "5"
                                                                        : "4");
            if (qemuCpu < machine.cpus.size()) machine.cpus[qemuCpu].translationRoot = cr3;
            ++qemuCpu;
        } else if (note.name == "VBCORE") {
            takeVirtualBox(snapshot, note);
        } else if (note.name == "VBCPU") {
            takeVirtualBoxCpu(snapshot, note);
        }
    }
    if (!damage.empty()) snapshot.issues.loss("notes: " + damage, where);
    if (!machine.cpus.empty()) {
        machine.cpus.coverage = Coverage::complete;
        machine.system.cpuCount = static_cast<std::uint32_t>(machine.cpus.size());
    }
    snapshot.attachments.push_back({std::string(notesAttachment), notes});
}

namespace {

void appendNote(std::vector<std::byte>& notes, std::string_view name, std::uint32_t type,
                std::span<const std::byte> content) {
    const auto start = elfcore::noteStart(name, type, content.size());
    notes.insert(notes.end(), start.begin(), start.end());
    notes.insert(notes.end(), content.begin(), content.end());
    notes.resize(alignUp(notes.size(), 4));
}

/// What a kernel and QEMU write of a CPU: its registers, and (for the page tables) its CR3.
void appendCpu(std::vector<std::byte>& notes, const Machine::Cpu& cpu) {
    std::vector<std::byte> status(sizeof(elfcore::PrStatus64));
    elfcore::appendRegisters(status, cpu.context.registers);
    status.resize(status.size() + sizeof(std::uint64_t));  // no floating-point registers
    appendNote(notes, "CORE", elf::notePrStatus, status);
    if (!cpu.translationRoot) return;
    std::vector<std::byte> state(qemuStateSize);
    storeInteger(state.data(), qemuStateVersion);
    storeInteger(state.data() + 4, static_cast<std::uint32_t>(qemuStateSize));
    static constexpr std::array<RegisterId, 18> general = {
        x64::rax, x64::rbx, x64::rcx, x64::rdx, x64::rsi, x64::rdi,
        x64::rsp, x64::rbp, x64::r8,  x64::r9,  x64::r10, x64::r11,
        x64::r12, x64::r13, x64::r14, x64::r15, x64::rip, x64::eflags};
    for (std::size_t i = 0; i < general.size(); ++i)
        storeInteger(state.data() + 8 + i * 8, cpu.context.registers.valueOr0(general[i]));
    storeInteger(state.data() + qemuControlRegisters + 3 * 8, *cpu.translationRoot);
    appendNote(notes, "QEMU", 0, state);
}

}  // namespace

std::vector<std::byte> notesToWrite(const Snapshot& snapshot) {
    if (const SharedBytes* notes = snapshot.attachment(notesAttachment))
        return {notes->span().begin(), notes->span().end()};
    std::vector<std::byte> notes;
    for (const Machine::Cpu& cpu : snapshot.machine->cpus) {
        if (cpu.context.registers.arch() == Arch::x86_64) appendCpu(notes, cpu);
    }
    if (const SharedBytes* info = snapshot.attachment(kernelInfoAttachment))
        appendNote(notes, "VMCOREINFO", 0, info->span());
    return notes;
}

}  // namespace icecore::image
