// ELF notes as dumps of kernels carry them: CPUs and VMCOREINFO.
// Sources: Linux' kernel/crash_core.c and fs/proc/vmcore.c; QEMU's target/i386/arch_dump.c.
#include "base/text.h"
#include "bytes/elf_layout.h"
#include "formats/elfcore/core_layout.h"
#include "formats/elfcore/core_note_writer.h"
#include "formats/elfcore/core_registers.h"
#include "formats/image/image.h"
#include "images/elf_image.h"

namespace icecore::image {

namespace {

/// QEMU's X86 CPU state: version and size, 18 registers, ten segments of 24 bytes, cr0 … cr4.
constexpr std::uint64_t qemuControlRegisters = 8 + 18 * 8 + 10 * 24;
constexpr std::uint64_t qemuStateSize = 0x1b8;
constexpr std::size_t maxHints = 2000;
constexpr std::size_t maxCpus = 65536;

void takeStatus(Snapshot& snapshot, const ElfNote& note) {
    Machine& machine = *snapshot.machine;
    Cursor cursor(note.content);
    cursor.skip(sizeof(elfcore::PrStatus64));
    Machine::Cpu cpu;
    cpu.number = static_cast<std::uint32_t>(machine.cpus.size());
    cpu.context.registers = elfcore::readRegisters(cursor, Arch::x86_64);
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
            if (qemuCpu < machine.cpus.size()) machine.cpus[qemuCpu].translationRoot = cr3;
            ++qemuCpu;
        }
    }
    if (!damage.empty()) snapshot.issues.loss("notes: " + damage, where);
    if (!machine.cpus.empty()) {
        machine.cpus.coverage = Coverage::complete;
        machine.system.arch = Arch::x86_64;
        machine.system.cpuCount = static_cast<std::uint32_t>(machine.cpus.size());
    }
    snapshot.attachments.push_back({std::string(notesAttachment), notes});
}

std::vector<std::byte> notesToWrite(const Snapshot& snapshot) {
    if (const SharedBytes* notes = snapshot.attachment(notesAttachment))
        return {notes->span().begin(), notes->span().end()};
    const SharedBytes* info = snapshot.attachment(kernelInfoAttachment);
    if (info == nullptr) return {};
    std::vector<std::byte> note = elfcore::noteStart("VMCOREINFO", 0, info->size());
    note.insert(note.end(), info->span().begin(), info->span().end());
    note.resize(alignUp(note.size(), 4));
    return note;
}

}  // namespace icecore::image
