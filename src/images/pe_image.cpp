#include "images/pe_image.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/range.h"
#include "base/text.h"
#include "bytes/cursor.h"
#include "images/pe_layout.h"

namespace icecore {

struct PeImage::Parts {
    std::string name;
    std::shared_ptr<const Source> source;  // from a file
    const AddressSpace* memory = nullptr;  // from a process, which must outlive the image
    std::uint64_t base = 0;
    std::uint64_t limit = UINT64_MAX;  ///< bytes of memory from base on that may be looked at

    std::uint16_t machine = 0;
    bool is64 = false;
    std::uint64_t imageBase = 0;
    std::uint32_t imageSize = 0, headersSize = 0, entry = 0, timestamp = 0, checksum = 0;
    std::array<pe::DataDirectory, pe::directoryCount> directories{};
    std::vector<PeSection> sections;
    Issues issues;

    // Copies of what cannot be shown in place, by offset or address and size. Never let go: views
    // stay valid. What is asked for comes from a handful of tables.
    mutable std::mutex mutex;
    mutable std::map<std::pair<std::uint64_t, std::uint64_t>, SharedBytes> pieces;

    /// As much of [offset, offset + size) as there is, in the file or behind the image's base.
    [[nodiscard]] ByteView raw(std::uint64_t offset, std::uint64_t size) const;
    [[nodiscard]] Result<void> readHeaders();
    template <class OptionalHeader>
    void take(const OptionalHeader& header) {
        imageBase = header.imageBase;
        imageSize = header.imageSize;
        headersSize = header.headersSize;
        entry = header.entry;
        checksum = header.checksum;
    }
};

ByteView PeImage::Parts::raw(std::uint64_t offset, std::uint64_t size) const {
    const std::uint64_t end = source ? source->size() : limit;
    if (offset >= end) return {{}, name, offset};
    size = std::min(size, end - offset);
    if (source && !source->mapped().empty())
        return ByteView(source->mapped(), name).slice(offset, size);
    const std::scoped_lock lock(mutex);
    SharedBytes& piece = pieces[{offset, size}];
    if (piece.empty() && source) {
        if (auto loaded = source->load(offset, size)) piece = std::move(*loaded);
    } else if (piece.empty()) {
        piece = SharedBytes::own(memory->readUpTo(base + offset, size));
    }
    return {piece.span(), name, base + offset};
}

Result<void> PeImage::Parts::readHeaders() {
    Cursor dos(raw(0, 64));
    const auto magic = dos.u16();
    if (!dos.ok() || magic != pe::dosMagic)
        return fail(Errc::malformed, "is no PE image: it does not begin with MZ", name);
    dos.seek(pe::dosNewHeader);
    const std::uint32_t start = dos.u32();
    TRY(dos.status("the DOS header"));

    Cursor header(raw(start, sizeof(std::uint32_t) + sizeof(pe::FileHeader)));
    const auto signature = header.u32();
    const auto file = header.structure<pe::FileHeader>();
    TRY(header.status("the PE header"));
    if (signature != pe::ntSignature)
        return fail(Errc::malformed, "is no PE image: its header has another signature", name);
    machine = file.machine;
    timestamp = file.timestamp;

    const std::uint64_t optionalAt =
        std::uint64_t{start} + sizeof(std::uint32_t) + sizeof(pe::FileHeader);
    Cursor optional(raw(optionalAt, file.optionalSize));
    const std::uint16_t kind = optional.u16();
    optional = Cursor(optional.view());
    std::uint32_t count = 0;
    if (kind == pe::optional64) {
        const auto raw64 = optional.structure<pe::Optional64>();
        take(raw64);
        count = raw64.directoryCount;
        is64 = true;
    } else if (kind == pe::optional32) {
        const auto raw32 = optional.structure<pe::Optional32>();
        take(raw32);
        count = raw32.directoryCount;
    } else {
        return fail(Errc::unsupported, "has neither a PE32 nor a PE32+ header", name);
    }
    TRY(optional.status("the optional header"));
    for (std::size_t i = 0; i < std::min<std::size_t>(count, directories.size()); ++i) {
        if (!optional.canHold(1, sizeof(pe::DataDirectory))) break;
        directories[i] = optional.structure<pe::DataDirectory>();
    }

    const std::uint64_t tableSize = std::uint64_t{file.sectionCount} * sizeof(pe::Section);
    Cursor table(raw(optionalAt + file.optionalSize, tableSize));
    if (table.remaining() < tableSize) issues.loss("the section table is cut short", name);
    while (table.canHold(1, sizeof(pe::Section))) {
        const auto raw = table.structure<pe::Section>();
        const auto* end = std::find(std::begin(raw.name), std::end(raw.name), '\0');
        sections.push_back({std::string(std::begin(raw.name), end), raw.address, raw.virtualSize,
                            raw.rawOffset, raw.rawSize, raw.characteristics});
    }
    if (memory != nullptr) limit = std::min<std::uint64_t>(limit, imageSize);
    return {};
}

PeImage::PeImage(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PeImage::~PeImage() = default;

Result<std::shared_ptr<const PeImage>> PeImage::open(std::shared_ptr<const Source> source) {
    auto parts = std::make_unique<Parts>();
    parts->name = source->name();
    parts->source = std::move(source);
    TRY(parts->readHeaders());
    return std::make_shared<const PeImage>(std::move(parts));
}

Result<std::shared_ptr<const PeImage>> PeImage::fromMemory(const AddressSpace& memory,
                                                           std::uint64_t base, std::uint64_t size,
                                                           std::string name) {
    auto parts = std::make_unique<Parts>();
    parts->name = std::move(name);
    parts->memory = &memory;
    parts->base = base;
    parts->limit = std::min(size, UINT64_MAX - base);
    TRY(parts->readHeaders());
    return std::make_shared<const PeImage>(std::move(parts));
}

const std::string& PeImage::name() const {
    return parts_->name;
}
std::uint16_t PeImage::machine() const {
    return parts_->machine;
}
bool PeImage::is64() const {
    return parts_->is64;
}
std::uint64_t PeImage::imageBase() const {
    return parts_->imageBase;
}
std::uint32_t PeImage::imageSize() const {
    return parts_->imageSize;
}
std::uint32_t PeImage::entry() const {
    return parts_->entry;
}
std::uint32_t PeImage::timestamp() const {
    return parts_->timestamp;
}
std::uint32_t PeImage::checksum() const {
    return parts_->checksum;
}
const std::vector<PeSection>& PeImage::sections() const {
    return parts_->sections;
}
const Issues& PeImage::issues() const {
    return parts_->issues;
}

Arch PeImage::arch() const {
    switch (parts_->machine) {
    case pe::machineX86: return Arch::x86;
    case pe::machineX64: return Arch::x86_64;
    case pe::machineArm: return Arch::arm;
    case pe::machineArm64: return Arch::arm64;
    default: return Arch::unknown;
    }
}

namespace {

std::string upperHex(std::uint64_t value, int digits) {
    std::string text = hexDigits(value, digits);
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
    return text;
}

/// Without "0x" and leading zeros.
std::string shortHex(std::uint64_t value) {
    return hex(value).substr(2);
}

}  // namespace

std::string PeImage::idOf(std::uint32_t timestamp, std::uint32_t imageSize) {
    return upperHex(timestamp, 8) + shortHex(imageSize);
}

std::string PeImage::id() const {
    return idOf(parts_->timestamp, parts_->imageSize);
}

std::string PeCodeView::id() const {
    std::string text;
    if (nb10) {
        text = upperHex(signature, 8);
    } else {
        text = upperHex(loadInteger<std::uint32_t>(guid.data()), 8) +
               upperHex(loadInteger<std::uint16_t>(guid.data() + 4), 4) +
               upperHex(loadInteger<std::uint16_t>(guid.data() + 6), 4);
        for (std::size_t i = 8; i < guid.size(); ++i)
            text += upperHex(std::to_integer<std::uint8_t>(guid[i]), 2);
    }
    std::string ageText = shortHex(age);
    std::ranges::transform(ageText, ageText.begin(),
                           [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
    return text + ageText;
}

const PeSection* PeImage::sectionAt(std::uint32_t address) const {
    const auto found = std::ranges::find_if(parts_->sections, [&](const PeSection& section) {
        const std::uint32_t size =
            section.virtualSize != 0 ? section.virtualSize : section.fileSize;
        return address >= section.address && address - section.address < size;
    });
    return found == parts_->sections.end() ? nullptr : &*found;
}

ByteView PeImage::at(std::uint32_t address, std::uint64_t size) const {
    const Parts& parts = *parts_;
    const PeSection* section = sectionAt(address);
    if (section == nullptr) {
        if (address >= parts.headersSize) return {{}, parts.name, address};
        return parts.raw(address, std::min<std::uint64_t>(size, parts.headersSize - address));
    }
    const std::uint32_t into = address - section->address;
    std::uint32_t held = section->virtualSize != 0 ? section->virtualSize : section->fileSize;
    if (parts.memory != nullptr)
        return parts.raw(address, std::min<std::uint64_t>(size, held - into));
    held = std::min(held, section->fileSize);
    if (into >= held) return {{}, parts.name, address};
    return parts.raw(std::uint64_t{section->offset} + into,
                     std::min<std::uint64_t>(size, held - into));
}

ByteView PeImage::functionTable() const {
    const pe::DataDirectory& directory = parts_->directories[pe::directoryException];
    if (directory.address == 0) return {};
    const ByteView table = at(directory.address, directory.size);
    const std::size_t entry = parts_->machine == pe::machineX64 ? 12 : 8;
    return table.slice(0, table.size() / entry * entry);
}

std::vector<PeExport> PeImage::exports() const {
    const pe::DataDirectory& directory = parts_->directories[pe::directoryExport];
    if (directory.address == 0) return {};
    Cursor header(at(directory.address, sizeof(pe::ExportDirectory)));
    const auto table = header.structure<pe::ExportDirectory>();
    if (!header.ok()) return {};
    Cursor functions(at(table.functions, std::uint64_t{table.functionCount} * 4));
    std::vector<PeExport> all;
    for (std::uint32_t i = 0; functions.canHold(1, 4); ++i)
        all.push_back({table.ordinalBase + i, functions.u32(), {}, {}});

    // Many names may point to one text: what they come to is bounded, whatever the table says.
    constexpr std::size_t longestName = 4096, mostText = 16U << 20;
    std::size_t total = 0;
    const auto text = [&](std::uint32_t address) -> std::string {
        if (total >= mostText) return {};
        std::string found;
        if (parts_->memory != nullptr)
            found = parts_->memory->readCString(parts_->base + address, longestName).value_or("");
        else
            found = Cursor(at(address, longestName)).cString();
        total += found.size();
        return found;
    };
    Cursor names(at(table.names, std::uint64_t{table.nameCount} * 4));
    Cursor ordinals(at(table.ordinals, std::uint64_t{table.nameCount} * 2));
    const std::size_t numbered = all.size();
    while (names.canHold(1, 4) && ordinals.canHold(1, 2)) {
        const std::uint32_t name = names.u32();
        const std::uint16_t index = ordinals.u16();
        if (index >= numbered) continue;
        // One address may have several names.
        if (all[index].name.empty()) {
            all[index].name = text(name);
        } else {
            PeExport again = all[index];
            again.name = text(name);
            all.push_back(std::move(again));
        }
    }
    std::erase_if(all, [](const PeExport& item) { return item.address == 0; });
    const Range inside = Range::ofSize(directory.address, directory.size);
    for (PeExport& item : all) {
        if (inside.contains(item.address)) item.forwarder = text(item.address);
    }
    std::ranges::stable_sort(all, {}, &PeExport::ordinal);
    return all;
}

Range PeImage::directory(std::size_t index) const {
    if (index >= parts_->directories.size()) return {};
    const pe::DataDirectory& directory = parts_->directories[index];
    return directory.address == 0 ? Range{} : Range::ofSize(directory.address, directory.size);
}

std::vector<PeDebugEntry> PeImage::debugEntries() const {
    const pe::DataDirectory& directory = parts_->directories[pe::directoryDebug];
    std::vector<PeDebugEntry> entries;
    if (directory.address == 0) return entries;
    Cursor table(at(directory.address, directory.size));
    while (table.canHold(1, sizeof(pe::DebugEntry))) {
        const auto raw = table.structure<pe::DebugEntry>();
        PeDebugEntry entry{
            static_cast<PeDebugType>(static_cast<std::uint32_t>(raw.type)), raw.timestamp, {}};
        // Some have no address: they are in the file and not loaded.
        if (parts_->source)
            entry.content = parts_->raw(raw.offset, raw.size);
        else if (raw.address != 0)
            entry.content = at(raw.address, raw.size);
        entries.push_back(entry);
    }
    return entries;
}

std::optional<PeCodeView> PeImage::codeView() const {
    for (const PeDebugEntry& entry : debugEntries()) {
        if (entry.type != PeDebugType::codeview) continue;
        Cursor record(entry.content);
        PeCodeView view;
        const std::uint32_t magic = record.u32();
        if (magic == pe::codeViewRsds) {
            const ByteView guid = record.bytes(view.guid.size());
            std::ranges::copy(guid.span(), view.guid.begin());
        } else if (magic == pe::codeViewNb10) {
            view.nb10 = true;
            record.skip(4);  // an offset, always zero
            view.signature = record.u32();
        } else {
            continue;
        }
        view.age = record.u32();
        if (!record.ok()) continue;
        view.path = record.cString();
        return view;
    }
    return std::nullopt;
}

}  // namespace icecore
