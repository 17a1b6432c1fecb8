#include "formats/elfcore/elf_core.h"

#include <array>

#include "bytes/endian.h"
#include "formats/elfcore/core_reader.h"
#include "formats/elfcore/core_text.h"
#include "formats/elfcore/core_writer.h"

namespace icecore {

namespace {

/// ELF, little-endian, ET_CORE (System V gABI, chapter 4).
bool probe(const Source& source) {
    std::array<std::byte, 18> start{};
    const auto got = source.read(0, start);
    if (!got || *got < start.size()) return false;
    constexpr std::array magic = {std::byte{0x7f}, std::byte{'E'}, std::byte{'L'}, std::byte{'F'}};
    constexpr std::uint16_t core = 4;
    return std::equal(magic.begin(), magic.end(), start.begin()) && start[5] == std::byte{1} &&
           loadInteger<std::uint16_t>(start.data() + 16) == core;
}

}  // namespace

Format elfCoreFormat() {
    Format format{};
    format.name = "core";
    format.description = "ELF core dump";
    format.extension = ".core";
    format.probe = probe;
    format.open = readElfCore;
    format.write = writeElfCore;
    format.describe = elfcore::describeCore;
    format.build = elfcore::buildCore;
    return format;
}

}  // namespace icecore
