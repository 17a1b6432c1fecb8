// Cores of machines that are no x86-64: what a 32-bit kernel, and others' QEMU, write.
#include "formats/vmcore/vmcore.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bytes/elf_layout.h"
#include "bytes/imperfect.h"
#include "bytes/packed_source.h"
#include "formats/elfcore/core_layout.h"
#include "formats/elfcore/core_note_writer.h"
#include "formats/elfcore/core_registers.h"
#include "formats/image/image.h"
#include "formats/image/translation.h"

namespace icecore {
namespace {

using Bytes = std::vector<std::byte>;

void append(Bytes& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

/// One CPU's NT_PRSTATUS whose general registers are all `value`.
Bytes statusNote(Arch arch, std::uint64_t value) {
    const bool narrow = arch == Arch::x86;
    Bytes status(narrow ? sizeof(elfcore::PrStatus32) : sizeof(elfcore::PrStatus64));
    for (std::size_t i = 0; i < elfcore::registerSlots(arch).size(); ++i) {
        if (narrow)
            appendInteger(status, static_cast<std::uint32_t>(value));
        else
            appendInteger(status, value);
    }
    status.resize(status.size() + (narrow ? 4 : 8));
    Bytes note = elfcore::noteStart("CORE", elf::notePrStatus, status.size());
    append(note, status);
    return note;
}

/// QEMU's CPU state with these control registers.
Bytes qemuNote(std::uint64_t cr3, std::uint64_t cr4) {
    Bytes state(0x1b8);
    storeInteger(state.data(), std::uint32_t{1});
    storeInteger(state.data() + 4, static_cast<std::uint32_t>(state.size()));
    storeInteger(state.data() + 8 + 18 * 8 + 10 * 24 + 3 * 8, cr3);
    storeInteger(state.data() + 8 + 18 * 8 + 10 * 24 + 4 * 8, cr4);
    Bytes note = elfcore::noteStart("QEMU", 0, state.size());
    append(note, state);
    return note;
}

/// A page of ones at 0x1000 and one of twos at 0x5000.
template <class Header, class Program>
Bytes makeCore(std::uint16_t machine, const Bytes& notes) {
    Header header{};
    std::ranges::copy(elf::magic, header.ident);
    const bool wide = sizeof(Header) == sizeof(elf::Header64);
    header.ident[elf::identClass] = std::byte{wide ? elf::class64 : elf::class32};
    header.ident[elf::identData] = std::byte{elf::dataLittle};
    header.type = elf::typeCore;
    header.machine = machine;
    header.version = 1;
    header.programOffset = sizeof(Header);
    header.headerSize = sizeof(Header);
    header.programEntrySize = sizeof(Program);
    header.programCount = 3;
    Bytes file;
    append(file, bytesOf(header));
    Program segment{};
    segment.type = elf::segmentNote;
    segment.offset = 4096;
    segment.fileSize = static_cast<std::uint32_t>(notes.size());
    append(file, bytesOf(segment));
    for (const std::uint32_t address : {0x1000U, 0x5000U}) {
        segment = {};
        segment.type = elf::segmentLoad;
        segment.offset = address == 0x1000 ? 8192 : 12288;
        segment.physicalAddress = address;
        segment.fileSize = 4096;
        segment.memorySize = 4096;
        append(file, bytesOf(segment));
    }
    file.resize(4096);
    append(file, notes);
    file.resize(8192);
    file.resize(12288, std::byte{1});
    file.resize(16384, std::byte{2});
    return file;
}

Result<Snapshot> openBytes(Bytes bytes) {
    ASSIGN_OR_RETURN(auto source, unpacked(memorySource(std::move(bytes), "core")));
    if (!vmcoreFormat().probe(*source)) return fail(Errc::malformed, "not recognised");
    return vmcoreFormat().open(std::move(source));
}

void expectPages(const Snapshot& snapshot) {
    const AddressSpace& memory = *snapshot.machine->physical;
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x1fff), 1);
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x5000), 2);
    EXPECT_EQ(image::bytesIn(image::storedRanges(memory)), 8192U);
}

TEST(MachineCore, OfA32BitMachine) {
    Bytes notes = statusNote(Arch::x86, 0xc0101234);
    append(notes, qemuNote(0x3000, 0x30));
    const auto snapshot =
        openBytes(makeCore<elf::Header32, elf::Program32>(elf::machine386, notes));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    const Machine& machine = *snapshot->machine;
    EXPECT_EQ(machine.system.arch, Arch::x86);
    ASSERT_EQ(machine.cpus.size(), 1U);
    EXPECT_EQ(machine.cpus[0].context.registers.pc(), 0xc0101234U);
    const auto tables = image::translationOf(machine);
    ASSERT_TRUE(tables);
    EXPECT_EQ(tables->root, 0x3000U);
    EXPECT_EQ(tables->levels, 3U);  // CR4.PAE
    expectPages(*snapshot);
}

TEST(MachineCore, OfA32BitMachineInA64BitFile) {
    const auto snapshot = openBytes(makeCore<elf::Header64, elf::Program64>(
        elf::machine386, statusNote(Arch::x86, 0xc0101234)));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(snapshot->machine->system.arch, Arch::x86);
    EXPECT_EQ(snapshot->machine->cpus[0].context.registers.pc(), 0xc0101234U);
    expectPages(*snapshot);
}

TEST(MachineCore, OfAnArmMachine) {
    const auto snapshot = openBytes(makeCore<elf::Header64, elf::Program64>(
        elf::machineAarch64, statusNote(Arch::arm64, 0xffff800008001234)));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(snapshot->machine->system.arch, Arch::arm64);
    ASSERT_EQ(snapshot->machine->cpus.size(), 1U);
    EXPECT_EQ(snapshot->machine->cpus[0].context.registers.pc(), 0xffff800008001234U);
    expectPages(*snapshot);
}

TEST(MachineCore, OfAMachineThatWeDoNotKnow) {
    constexpr std::uint16_t riscV = 243;
    Bytes note = elfcore::noteStart("CORE", elf::notePrStatus, 376);
    note.resize(note.size() + 376);
    const auto snapshot = openBytes(makeCore<elf::Header64, elf::Program64>(riscV, note));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(snapshot->machine->system.arch, Arch::unknown);
    EXPECT_TRUE(snapshot->machine->cpus.empty());
    expectPages(*snapshot);
}

TEST(MachineCore, FlattenedByMakedumpfile) {
    const Bytes core = makeCore<elf::Header64, elf::Program64>(
        elf::machineX86_64, statusNote(Arch::x86_64, 0xffffffff81001234));
    Bytes flat(4096);
    std::ranges::copy(std::as_bytes(std::span(std::string_view("makedumpfile"))), flat.begin());
    const auto record = [&](std::uint64_t offset, std::span<const std::byte> content) {
        appendInteger(flat, offset, std::endian::big);
        appendInteger(flat, std::uint64_t{content.size()}, std::endian::big);
        append(flat, content);
    };
    // The end first, and the beginning twice: what comes later counts.
    const Bytes nonsense(100, std::byte{0xee});
    record(0, nonsense);
    record(6000, std::span(core).subspan(6000));
    record(0, std::span(core).first(6000));
    const std::size_t whole = flat.size();
    appendInteger(flat, UINT64_MAX, std::endian::big);
    appendInteger(flat, UINT64_MAX, std::endian::big);
    const auto snapshot = openBytes(flat);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(snapshot->machine->cpus[0].context.registers.pc(), 0xffffffff81001234U);
    expectPages(*snapshot);
    flat.resize(whole);
    const auto source = unpacked(memorySource(flat, "cut"));
    ASSERT_TRUE(source);
    EXPECT_TRUE(issuesOf(**source).lossy());
}

}  // namespace
}  // namespace icecore
