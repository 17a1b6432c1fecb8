// The files that one module's debugging information is spread over, and entries found across them.
#include <algorithm>

#include "symbols/dwarf/debug_data.h"

namespace icecore::dwarf {

const Unit& DebugData::withCode(const Unit& unit) {
    const bool main = unit.container == FileUnits::containerOf(mainFile, SectionId::info);
    // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): units last as long as this.
    if (!main || unit.dwoName.empty()) return unit;
    const std::size_t index = main_.info.containing(unit.offset);
    SplitUnit& split = splits_[index];
    std::call_once(split.once, [&] { openSplit(unit, split, firstSplit + index); });
    return split.unit != nullptr ? *split.unit : unit;
}

void DebugData::openSplit(const Unit& skeleton, SplitUnit& split, std::uint64_t number) {
    if (Package* packed = package()) {
        split.unit = packed->compilation(skeleton);
        if (split.unit != nullptr) return;
    }
    auto image = opener_(std::filesystem::path(skeleton.compDir) / skeleton.dwoName);
    if (!image) return;
    split.own = std::make_unique<FileUnits>(std::move(image), true, number);
    for (const Units* list : {&split.own->info, &split.own->types}) {
        for (std::size_t i = 0; i < list->size(); ++i)
            (*list)[i].skeleton = &skeleton;
    }
    for (std::size_t i = 0; i < split.own->info.size(); ++i) {
        Unit& candidate = split.own->info[i];
        if (candidate.isTypeUnit()) continue;
        candidate.readOwnEntry();
        // The id is what tells this compilation's .dwo from an older one's.
        if (candidate.dwoId != skeleton.dwoId) continue;
        split.unit = &candidate;
        return;
    }
    split.own.reset();
}

/// "PROGRAM.dwp" beside the file, whether that is the program or what was split off of it.
Package* DebugData::package() {
    std::call_once(packageOnce_, [&] {
        const std::string_view name = main_.file.image().name();
        constexpr std::string_view debug = ".debug";
        std::vector<std::string> paths = {std::string(name) + ".dwp"};
        if (name.ends_with(debug))
            paths.push_back(std::string(name.substr(0, name.size() - debug.size())) + ".dwp");
        for (const std::string& path : paths) {
            auto image = opener_(path);
            if (!image) continue;
            package_ = std::make_unique<Package>(std::move(image), packageFile);
            return;
        }
    });
    return package_.get();
}

void DebugData::eachUnit(const std::function<bool(const Unit&)>& visit) {
    const auto typeUnits = [&](const FileUnits& file) {
        for (const Units* list : {&file.info, &file.types}) {
            for (std::size_t i = 0; i < list->size(); ++i) {
                Unit& unit = (*list)[i];
                if (!unit.isTypeUnit()) continue;
                unit.readOwnEntry();
                if (!visit(unit)) return false;
            }
        }
        return true;
    };
    for (std::size_t i = 0; i < main_.info.size(); ++i) {
        Unit& unit = main_.info[i];
        if (unit.isTypeUnit()) continue;
        unit.readOwnEntry();
        if (!visit(withCode(unit))) return;
        if (const SplitUnit& split = splits_[i]; split.own && !typeUnits(*split.own)) return;
    }
    if (!typeUnits(main_) || !package_) return;
    for (Unit* unit : package_->typeUnits()) {
        unit->readOwnEntry();
        if (!visit(*unit)) return;
    }
}

/// dwz moves what several files share into one: .gnu_debugaltlink names it, with its build-id.
void DebugData::readAlternate() {
    const ElfImage& image = main_.file.image();
    const ElfSection* section = image.section(".gnu_debugaltlink");
    if (section == nullptr) return;
    const auto content = image.content(*section);
    if (!content) return;
    Cursor cursor(*content);
    const std::filesystem::path name(cursor.cString());
    const ByteView id = cursor.bytes(cursor.remaining());
    if (!cursor.ok()) return;
    const std::filesystem::path folder = std::filesystem::path(image.name()).parent_path();
    for (const auto& path :
         {folder / name, std::filesystem::path("/usr/lib/debug/.dwz") / name.filename()}) {
        auto other = opener_(path);
        if (!other || !std::ranges::equal(other->buildId(), id.span())) continue;
        alternate_ = std::make_unique<FileUnits>(std::move(other), false, commonFile);
        return;
    }
}

std::optional<EntryPlace> DebugData::resolve(const Unit& unit, const Value& value) {
    if (const auto local = unit.localReference(value)) return std::pair(&unit, *local);
    if (value.form == form_ref_sig8) return resolveSignature(unit, value.number);
    const FileUnits* file = nullptr;
    if (value.form == form_ref_addr) {
        // In a package nobody has put such references right.
        const std::uint64_t number = FileUnits::numberOf(unit.container);
        file = number == packageFile ? nullptr : fileOf(number);
    } else if (value.form == form_gnu_ref_alt || value.form == form_ref_sup4 ||
               value.form == form_ref_sup8) {
        std::call_once(alternateOnce_, [&] { readAlternate(); });
        file = alternate_.get();
    }
    if (file == nullptr) return std::nullopt;
    const std::size_t index = file->info.containing(value.number);
    if (index == file->info.size()) return std::nullopt;
    file->info[index].readOwnEntry();
    return EntryPlace(&file->info[index], value.number);
}

/// A type unit of the same file; of a package, of any compilation.
std::optional<EntryPlace> DebugData::resolveSignature(const Unit& from, std::uint64_t signature) {
    const std::uint64_t number = FileUnits::numberOf(from.container);
    Unit* unit = nullptr;
    if (number == packageFile)
        unit = package_ ? package_->typeUnit(signature) : nullptr;
    else if (const FileUnits* file = fileOf(number))
        unit = file->ofSignature(signature);
    if (unit == nullptr) return std::nullopt;
    const auto at = checkedAdd(unit->offset, unit->typeOffset);
    if (!at || *at < unit->firstEntry || *at >= unit->end) return std::nullopt;
    unit->readOwnEntry();
    return EntryPlace(unit, *at);
}

const FileUnits* DebugData::fileOf(std::uint64_t number) const {
    switch (number) {
    case mainFile: return &main_;
    case commonFile: return alternate_.get();
    case packageFile: return package_ ? &package_->units() : nullptr;
    default:
        return number - firstSplit < main_.info.size() ? splits_[number - firstSplit].own.get()
                                                       : nullptr;
    }
}

// A number is the entry's offset and, above it, which list of units it is in.
namespace {
constexpr unsigned offsetBits = 38, containerBits = 18;
}  // namespace

std::optional<std::uint64_t> DebugData::numberOf(const EntryPlace& place) const {
    const auto& [unit, offset] = place;
    if (offset >> offsetBits != 0 || unit->container >> containerBits != 0) return std::nullopt;
    return unit->container << offsetBits | offset;
}

std::optional<EntryPlace> DebugData::placeOf(std::uint64_t number) const {
    const std::uint64_t container = number >> offsetBits;
    const std::uint64_t offset = number & ((std::uint64_t{1} << offsetBits) - 1);
    const FileUnits* file = fileOf(FileUnits::numberOf(container));
    if (file == nullptr) return std::nullopt;
    const Units& units = file->list(container);
    const std::size_t index = units.containing(offset);
    if (index == units.size()) return std::nullopt;
    units[index].readOwnEntry();
    return EntryPlace(&units[index], offset);
}

}  // namespace icecore::dwarf
