// Any bytes as a PDB: container, modules, symbols, lines, inlined calls, types, frame layouts.
// Nothing may crash, hang or take more memory than the input is worth.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/source.h"
#include "symbols/pdb/pdb_file.h"
#include "symbols/pdb/pdb_types.h"
#include "symbols/pdb/type_layout.h"

namespace {

using namespace icecore;

void askTypes(const pdb::PdbFile& file) {
    constexpr std::uint32_t enough = 64;
    for (const pdb::TypeTable* table : {&file.types(), &file.ids()}) {
        for (std::uint32_t i = 0; i < enough && table->contains(table->first() + i); ++i) {
            (void)pdb::typeName(file, table->first() + i);
            (void)pdb::typeSize(file, table->first() + i);
            (void)pdb::typeLayout(file, table->first() + i);
        }
    }
    (void)file.typeByName("ice::Thing");
}

/// As debuggers ask: shapes and members, along what they lead to.
void askShapes(const pdb::PdbTypes& types) {
    constexpr std::size_t most = 64;
    for (const std::string& name : types.matching("*", most)) {
        const auto type = types.find(name);
        if (!type) continue;
        const TypeShape shape = types.shape(*type);
        if (shape.target) (void)types.shape(*shape.target);
        for (const TypeMember& member : types.members(*type))
            (void)types.shape(member.type);
    }
    (void)types.variableType("thing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto opened = pdb::PdbFile::open(memorySource({bytes, bytes + size}, "fuzz.pdb"));
    if (!opened) return 0;
    const pdb::PdbFile& file = **opened;
    askShapes(pdb::PdbTypes(*opened));
    for (std::uint32_t address = 0x1000; address < 0x1400; address += 13) {
        (void)file.locate(address, true);
        (void)file.frameLayout(address);
        for (std::size_t level = 0; level < 3; ++level)
            (void)file.variablesAt(address, level);
    }
    (void)file.nearest(0x1010);
    (void)file.nearest(0x3010);
    (void)file.checksumAt(0x1010);
    (void)file.byName("ice::Thing::run");
    constexpr std::size_t most = 64;
    std::vector<ModuleReader::Named> found;
    file.find("*a*", most, found);
    askTypes(file);
    return 0;
}
