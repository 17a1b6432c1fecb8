#include "symbols/symbol_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/range.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "bytes/text_at.h"

namespace icecore {

namespace {

/// How many symbols below an address are looked at for one that covers it: labels inside a big
/// function stand between the two.
constexpr int farthestBack = 64;

bool isCodeType(std::uint8_t type) {
    return type == elf::symbolFunction || type == elf::symbolIndirectFunction;
}

std::size_t leadingUnderscores(std::string_view name) {
    const std::size_t at = name.find_first_not_of('_');
    return at == std::string_view::npos ? name.size() : at;
}

}  // namespace

SymbolTable::SymbolTable(std::vector<std::shared_ptr<const ElfImage>> images)
    : images_(std::move(images)) {
    // A .symtab holds all that .dynsym does. Without one (stripped, or only .gnu_debugdata's
    // extract, which leaves out what .dynsym has) the exported names are needed.
    const ElfSection* best = nullptr;
    const ElfImage* bestImage = nullptr;
    for (const auto& image : images_) {
        const ElfSection* symtab = image->section(".symtab");
        if (symtab == nullptr || symtab->type != elf::sectionSymbols) continue;
        if (best == nullptr || symtab->size > best->size) {
            best = symtab;
            bestImage = image.get();
        }
    }
    if (best != nullptr) addTable(*bestImage, *best);
    full_ = !entries_.empty();
    const bool extract = bestImage != nullptr && bestImage->name().ends_with(".gnu_debugdata");
    if (!full_ || extract) {
        for (const auto& image : images_) {
            const ElfSection* dynsym = image->section(".dynsym");
            if (dynsym == nullptr || dynsym->type != elf::sectionDynamicSymbols) continue;
            addTable(*image, *dynsym);
            break;
        }
    }
    sortByAddress();
}

void SymbolTable::addTable(const ElfImage& image, const ElfSection& section) {
    if (section.link >= image.sections().size() || strings_.size() > UINT8_MAX) return;
    const auto symbols = image.content(section);
    const auto strings = image.content(image.sections()[section.link]);
    if (!symbols || !strings) return;
    const auto source = static_cast<std::uint8_t>(strings_.size());
    strings_.push_back(*strings);
    const auto& sections = image.sections();
    const bool skipMappingSymbols = image.arch() == Arch::arm || image.arch() == Arch::arm64;
    const bool thumbBit = image.arch() == Arch::arm;
    // Out of memory there is no section table to say what is code: the segments do.
    const bool bySegment = image.fromProcessMemory();

    const auto take = [&](std::uint32_t name, std::uint8_t info, std::uint16_t index,
                          std::uint64_t value, std::uint64_t size) {
        const auto type = static_cast<std::uint8_t>(info & 15U);
        if (name == 0 || index == elf::undefinedSection || value == 0) return;
        if (type == elf::symbolSection || type == elf::symbolFile || type == elf::symbolTls ||
            type == elf::symbolCommon)
            return;
        if (index == elf::absoluteSection) return;  // a constant, no address
        Entry entry;
        entry.address = value;
        if (thumbBit && type == elf::symbolFunction) entry.address &= ~std::uint64_t{1};
        entry.size = static_cast<std::uint32_t>(std::min<std::uint64_t>(size, UINT32_MAX));
        entry.name = name;
        entry.source = source;
        entry.type = type;
        entry.binding = static_cast<std::uint8_t>(info >> 4U);
        entry.code = isCodeType(type);
        if (!bySegment && index < sections.size()) {
            const ElfSection& home = sections[index];
            const Range range = Range::ofSize(home.address, home.size);
            if (type == elf::symbolNoType) entry.code = (home.flags & elf::sectionExecute) != 0;
            if (range.contains(entry.address)) {
                entry.sectionEnd = static_cast<std::uint32_t>(
                    std::min<std::uint64_t>(range.end() - entry.address, UINT32_MAX));
            } else if (type == elf::symbolNoType) {
                return;  // "_end", "__bss_start": marks behind a section
            }
        }
        // "$x", "$d": where code and data begin; not names of anything (AAELF64, 4.5.4).
        if (skipMappingSymbols && type == elf::symbolNoType &&
            textAt(*strings, name).starts_with('$'))
            return;
        entries_.push_back(entry);
    };

    if (image.is64()) {
        const std::size_t count = symbols->size() / sizeof(elf::Symbol64);
        entries_.reserve(entries_.size() + count);
        for (std::size_t i = 1; i < count; ++i) {
            elf::Symbol64 raw;
            std::memcpy(&raw, symbols->data() + i * sizeof raw, sizeof raw);
            take(raw.name, raw.info, raw.section, raw.value, raw.size);
        }
    } else {
        const std::size_t count = symbols->size() / sizeof(elf::Symbol32);
        entries_.reserve(entries_.size() + count);
        for (std::size_t i = 1; i < count; ++i) {
            elf::Symbol32 raw;
            std::memcpy(&raw, symbols->data() + i * sizeof raw, sizeof raw);
            take(raw.name, raw.info, raw.section, raw.value, raw.size);
        }
    }
}

void SymbolTable::sortByAddress() {
    const auto byAddress = [](const Entry& a, const Entry& b) { return a.address < b.address; };
    constexpr std::size_t smallTable = 4096;
    if (entries_.size() <= smallTable) {
        std::stable_sort(entries_.begin(), entries_.end(), byAddress);
        return;
    }
    // Distribute into buckets by the addresses' upper bits first: a third of the time of sorting a
    // table of several 100 000 at once, and this is what opening a big program waits for.
    const auto [low, high] = std::minmax_element(entries_.begin(), entries_.end(), byAddress);
    const std::uint64_t base = low->address;
    const std::uint64_t span = high->address - base + 1;
    const auto spanBits = static_cast<int>(std::bit_width(span));
    const auto bucketBits = static_cast<int>(std::bit_width(entries_.size() / 4));
    const int shift = std::max(0, spanBits - bucketBits);
    std::vector<std::uint32_t> starts((span >> shift) + 2);
    for (const Entry& entry : entries_)
        ++starts[((entry.address - base) >> shift) + 1];
    for (std::size_t i = 1; i < starts.size(); ++i)
        starts[i] += starts[i - 1];
    std::vector<Entry> sorted(entries_.size());
    std::vector<std::uint32_t> next(starts.begin(), starts.end() - 1);
    for (const Entry& entry : entries_)
        sorted[next[(entry.address - base) >> shift]++] = entry;
    for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
        if (starts[i + 1] - starts[i] > 1)
            std::stable_sort(sorted.begin() + starts[i], sorted.begin() + starts[i + 1], byAddress);
    }
    entries_ = std::move(sorted);
}

std::string_view SymbolTable::name(const Entry& entry) const {
    return textAt(strings_[entry.source], entry.name);
}

/// Which of two symbols at one address people mean. Like gdb: functions before labels, sized
/// before unsized, visible before local; then the name with fewer underscores in front ("write",
/// not "__GI___libc_write"), global before weak, then the one earlier in the table.
bool SymbolTable::better(const Entry& a, const Entry& b) const {
    if (isCodeType(a.type) != isCodeType(b.type)) return isCodeType(a.type);
    if ((a.size != 0) != (b.size != 0)) return a.size != 0;
    if ((a.binding == elf::bindLocal) != (b.binding == elf::bindLocal))
        return a.binding != elf::bindLocal;
    const std::size_t underscoresA = leadingUnderscores(name(a));
    const std::size_t underscoresB = leadingUnderscores(name(b));
    if (underscoresA != underscoresB) return underscoresA < underscoresB;
    return a.binding == elf::bindGlobal && b.binding != elf::bindGlobal;
}

const SymbolTable::Entry* SymbolTable::at(std::uint64_t address, bool codeOnly) const {
    auto next = std::upper_bound(
        entries_.begin(), entries_.end(), address,
        [](std::uint64_t value, const Entry& entry) { return value < entry.address; });
    const Entry* label = nullptr;
    bool labelPossible = true;
    const Entry* found = nullptr;
    for (int i = 0; i < farthestBack && next != entries_.begin(); ++i) {
        const Entry& entry = *--next;
        if (found != nullptr && entry.address != found->address) break;
        if (codeOnly && !entry.code) continue;
        const std::uint64_t inside = address - entry.address;
        if (entry.size == 0) {
            const bool inSection = entry.sectionEnd == 0 || inside < entry.sectionEnd;
            if (!labelPossible || !inSection) continue;
            if (label == nullptr || (label->address == entry.address && better(entry, *label)))
                label = &entry;
            continue;
        }
        if (inside < entry.size) {
            if (found == nullptr || better(entry, *found)) found = &entry;
            continue;
        }
        // A function that ended before the address: labels inside it end with it, and labels
        // further down belong to what is in front of it.
        if (label != nullptr && label->address - entry.address < entry.size) label = nullptr;
        labelPossible = label != nullptr;
    }
    return found != nullptr ? found : label;
}

std::uint64_t SymbolTable::endOf(const Entry& entry) const {
    if (entry.size != 0) return Range::ofSize(entry.address, entry.size).end();
    const auto next = std::upper_bound(
        entries_.begin(), entries_.end(), entry.address,
        [](std::uint64_t value, const Entry& other) { return value < other.address; });
    std::uint64_t end = next == entries_.end() ? entry.address : next->address;
    if (entry.sectionEnd != 0) {
        const std::uint64_t sectionEnd = Range::ofSize(entry.address, entry.sectionEnd).end();
        end = next == entries_.end() ? sectionEnd : std::min(end, sectionEnd);
    }
    return end;
}

std::optional<std::string> pltStubName(const ElfImage& image, std::uint64_t address,
                                       std::uint64_t* start) {
    if (!image.is64() || (image.arch() != Arch::x86_64 && image.arch() != Arch::arm64))
        return std::nullopt;
    // x86-64: .plt has a header of 16 bytes; with -z ibtplt the calls go to .plt.sec, without one.
    // arm64: a header of 32 bytes. Entries are 16 bytes; arm64's with BTI or PAC are 24.
    const ElfSection* section = nullptr;
    std::uint64_t header = 0;
    for (const std::string_view name : {".plt.sec", ".plt"}) {
        const ElfSection* candidate = image.section(name);
        if (candidate == nullptr ||
            !Range::ofSize(candidate->address, candidate->size).contains(address))
            continue;
        section = candidate;
        if (name == ".plt") header = image.arch() == Arch::arm64 ? 32 : 16;
        break;
    }
    const ElfSection* relocations = image.section(".rela.plt");
    const ElfSection* symbols = image.section(".dynsym");
    if (section == nullptr || relocations == nullptr || symbols == nullptr ||
        symbols->link >= image.sections().size())
        return std::nullopt;
    const auto relocationBytes = image.content(*relocations);
    const auto symbolBytes = image.content(*symbols);
    const auto strings = image.content(image.sections()[symbols->link]);
    if (!relocationBytes || !symbolBytes || !strings) return std::nullopt;
    const std::uint64_t count = relocationBytes->size() / sizeof(elf::Relocation64);
    if (count == 0 || section->size < header) return std::nullopt;
    std::uint64_t stub = 16;
    if (image.arch() == Arch::arm64 && section->size - header == count * 24) stub = 24;
    if (address < section->address + header) return std::nullopt;
    const std::uint64_t index = (address - section->address - header) / stub;
    if (index >= count) return std::nullopt;
    Cursor relocation(relocationBytes->slice(index * sizeof(elf::Relocation64)));
    const std::uint64_t info = relocation.structure<elf::Relocation64>().info;
    Cursor symbol(symbolBytes->slice((info >> 32U) * sizeof(elf::Symbol64)));
    const auto raw = symbol.structure<elf::Symbol64>();
    if (!symbol.ok() || raw.name == 0) return std::nullopt;
    const std::string_view name = textAt(*strings, raw.name);
    if (name.empty()) return std::nullopt;
    *start = section->address + header + index * stub;
    return std::string(name.substr(0, name.find('@'))) + "@plt";
}

}  // namespace icecore
