// How functions of 32-bit x86 lay out their stack, and types by name.
#include <algorithm>

#include "symbols/pdb/pdb_file.h"
#include "symbols/pdb/user_type.h"

namespace icecore::pdb {

namespace {

/// The record that contains `address` in a table sorted by address; each begins with its address
/// and size. FrameData's begin inside one another (prologue, body): the last that contains it.
template <class T>
std::optional<T> containing(const MsfStream& stream, std::uint64_t at, std::uint32_t address) {
    const std::uint64_t count = stream.size() > at ? (stream.size() - at) / sizeof(T) : 0;
    std::uint64_t low = 0, high = count;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const auto record = stream.structure<T>(at + middle * sizeof(T));
        if (!record) return std::nullopt;
        if (record->address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    constexpr std::uint64_t fewNested = 32;
    for (std::uint64_t back = 1; back <= std::min(low, fewNested); ++back) {
        const auto record = stream.structure<T>(at + (low - back) * sizeof(T));
        if (record && address - record->address < record->size) return record;
    }
    return std::nullopt;
}

}  // namespace

std::optional<FrameLayout> PdbFile::frameLayout(std::uint32_t address) const {
    const AddressMap& addresses = dbi_->addresses();
    const auto linked = addresses.fromImage(address);
    if (!linked) return std::nullopt;
    FrameLayout layout;
    const auto place = [&](std::uint32_t begin, std::uint32_t size) {
        layout.begin = addresses.toImage(begin).value_or(begin);
        layout.size = size;
    };
    // The first four bytes of the new table are what a relocation adds to its addresses; linkers
    // leave it zero.
    const MsfStream frames = dbi_->debugStream(debugNewFpo);
    const std::uint64_t at = frames.size() % sizeof(FrameData) == 4 ? 4 : 0;
    if (const auto frame = containing<FrameData>(frames, at, *linked)) {
        place(frame->address, frame->size);
        layout.locals = frame->locals;
        layout.parameters = frame->parameters;
        layout.prologue = frame->prologueSize;
        layout.savedRegisters = frame->savedRegisterSize;
        layout.program = text(frame->program);
        layout.hasSeh = (frame->flags & 1) != 0;
        layout.functionStart = (frame->flags & 4) != 0;
        return layout;
    }
    const auto old = containing<FpoData>(dbi_->debugStream(debugFpo), 0, *linked);
    if (!old) return std::nullopt;
    place(old->address, old->size);
    const std::uint16_t bits = old->bits;
    layout.locals = old->locals * 4;
    layout.parameters = std::uint32_t{old->parameters} * 4;
    layout.prologue = bits & 0xffU;
    layout.savedRegisters = ((bits >> 8) & 7U) * 4;
    layout.hasSeh = ((bits >> 11) & 1U) != 0;
    layout.usesBasePointer = ((bits >> 12) & 1U) != 0;
    layout.frameType = static_cast<std::uint8_t>((bits >> 14) & 3U);
    layout.functionStart = true;
    return layout;
}

std::optional<std::uint32_t> PdbFile::typeByName(std::string_view name) const {
    std::optional<std::uint32_t> found;
    types_.hashedLike(name, [&](std::uint32_t index) {
        const auto record = types_.record(index);
        const auto type = record ? readUserType(*record) : std::nullopt;
        if (!type || type->name != name || type->forward) return true;
        found = index;
        return false;
    });
    if (found) return found;
    // Types inside functions are kept under their mangled name.
    globals_.named(name, [&](const GlobalSymbol& symbol) {
        if (symbol.kind != symUdt) return true;
        found = symbol.type;
        return false;
    });
    if (!found) return std::nullopt;
    const auto record = types_.record(*found);
    const auto type = record ? readUserType(*record) : std::nullopt;
    if (!type || !type->forward) return found;
    return completeType(*type);
}

std::optional<std::uint32_t> PdbFile::completeType(const UserType& declared) const {
    std::optional<std::uint32_t> found;
    // Types inside functions are kept under their mangled name, all others under the plain one.
    for (const std::string& key : {declared.name, declared.uniqueName}) {
        if (found || key.empty()) continue;
        types_.hashedLike(key, [&](std::uint32_t index) {
            const auto record = types_.record(index);
            const auto type = record ? readUserType(*record) : std::nullopt;
            if (!type || type->forward || type->name != declared.name ||
                type->uniqueName != declared.uniqueName)
                return true;
            found = index;
            return false;
        });
    }
    return found;
}

}  // namespace icecore::pdb
