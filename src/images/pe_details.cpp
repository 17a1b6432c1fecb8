#include "images/pe_details.h"

#include <algorithm>

#include "base/text.h"
#include "bytes/cursor.h"
#include "images/pe_layout.h"

namespace icecore {

namespace {

/// The resource tree has three levels: type, name, language.
class ResourceTree {
public:
    explicit ResourceTree(const PeImage& image)
        : image_(image), root_(image.directory(pe::directoryResource)) {}

    /// The first resource of a type, whatever its name and language.
    [[nodiscard]] ByteView first(std::uint32_t type) const {
        if (root_.empty()) return {};
        const auto names = entry(0, type);
        const auto languages = names && isDirectory(*names) ? entry(offset(*names)) : std::nullopt;
        const auto leaf =
            languages && isDirectory(*languages) ? entry(offset(*languages)) : std::nullopt;
        if (!leaf || isDirectory(*leaf)) return {};
        Cursor cursor(at(*leaf, sizeof(pe::ResourceData)));
        const auto data = cursor.structure<pe::ResourceData>();
        return cursor.ok() ? image_.at(data.address, data.size) : ByteView();
    }

private:
    static bool isDirectory(std::uint32_t entry) { return (entry & pe::resourceSubdirectory) != 0; }
    static std::uint32_t offset(std::uint32_t entry) { return entry & ~pe::resourceSubdirectory; }
    [[nodiscard]] ByteView at(std::uint64_t offset, std::uint64_t size) const {
        if (offset >= root_.size()) return {};
        return image_.at(static_cast<std::uint32_t>(root_.begin() + offset),
                         std::min(size, root_.size() - offset));
    }
    /// Offset of the entry with this id, or of the first.
    [[nodiscard]] std::optional<std::uint32_t> entry(
        std::uint64_t directory, std::optional<std::uint32_t> id = std::nullopt) const {
        Cursor header(at(directory, sizeof(pe::ResourceDirectory)));
        const auto table = header.structure<pe::ResourceDirectory>();
        if (!header.ok()) return std::nullopt;
        const std::uint64_t count = std::uint64_t{table.namedCount} + table.idCount;
        Cursor entries(
            at(directory + sizeof(pe::ResourceDirectory), count * sizeof(pe::ResourceEntry)));
        while (entries.canHold(1, sizeof(pe::ResourceEntry))) {
            const auto item = entries.structure<pe::ResourceEntry>();
            if (!id || item.id == *id) return item.offset;
        }
        return std::nullopt;
    }

    const PeImage& image_;
    Range root_;
};

/// One block of a version resource: length, length of the value, type, key, value, children.
struct VersionBlock {
    std::string key;
    ByteView value;
    ByteView children;
};

std::string utf16Text(ByteView bytes) {
    std::u16string text;
    Cursor cursor(bytes);
    while (cursor.canHold(1, 2)) {
        const auto unit = static_cast<char16_t>(cursor.u16());
        if (unit == 0) break;
        text += unit;
    }
    return utf16ToUtf8(text);
}

std::optional<VersionBlock> readBlock(Cursor& cursor) {
    cursor.align(4);
    const std::uint64_t start = cursor.position();
    const std::uint16_t length = cursor.u16();
    const std::uint16_t valueLength = cursor.u16();
    const std::uint16_t isText = cursor.u16();
    constexpr std::uint64_t header = 6;
    if (!cursor.ok() || length < header || length > header + cursor.remaining())
        return std::nullopt;
    const ByteView whole = cursor.view().slice(start, length);
    VersionBlock block;
    const ByteView text = whole.slice(header);
    block.key = utf16Text(text);
    std::uint64_t keySize = 0;
    while (keySize + 2 <= text.size() && loadInteger<std::uint16_t>(text.data() + keySize) != 0)
        keySize += 2;
    const std::uint64_t valueAt = alignUp(header + keySize + 2, 4);
    const std::uint64_t valueSize = std::uint64_t{valueLength} * (isText == 1 ? 2 : 1);
    block.value = whole.slice(valueAt, valueSize);
    block.children = whole.slice(alignUp(valueAt + block.value.size(), 4));
    cursor.seek(start + length);
    return block;
}

std::string dotted(std::uint32_t high, std::uint32_t low) {
    return std::to_string(high >> 16) + "." + std::to_string(high & 0xffff) + "." +
           std::to_string(low >> 16) + "." + std::to_string(low & 0xffff);
}

/// "StringFileInfo" holds a table for each language; the first counts.
void readStrings(ByteView tables, PeVersion& version) {
    Cursor languages(tables);
    const auto table = readBlock(languages);
    if (!table) return;
    Cursor strings(table->children);
    while (!strings.atEnd()) {
        const auto item = readBlock(strings);
        if (!item) return;
        version.strings.emplace(item->key, utf16Text(item->value));
    }
}

/// "VarFileInfo" holds a list of language and code page.
void readTranslations(ByteView variables, PeVersion& version) {
    Cursor cursor(variables);
    const auto list = readBlock(cursor);
    if (!list || list->key != "Translation") return;
    Cursor pairs(list->value);
    while (pairs.canHold(1, 4)) {
        const std::uint32_t language = pairs.u16();
        version.translations.push_back(language << 16U | pairs.u16());
    }
}

}  // namespace

std::optional<PeVersion> peVersion(const PeImage& image) {
    const ByteView resource = ResourceTree(image).first(pe::resourceVersion);
    Cursor cursor(resource);
    const auto root = readBlock(cursor);
    if (!root) return std::nullopt;
    Cursor fixedPart(root->value);
    const auto fixed = fixedPart.structure<pe::FixedFileInfo>();
    if (!fixedPart.ok() || fixed.signature != pe::fixedFileSignature) return std::nullopt;
    PeVersion version;
    version.fileVersion = dotted(fixed.fileHigh, fixed.fileLow);
    version.productVersion = dotted(fixed.productHigh, fixed.productLow);
    const std::uint32_t flags = fixed.flags & fixed.flagsMask;
    version.debug = (flags & 1) != 0;       // VS_FF_DEBUG
    version.prerelease = (flags & 2) != 0;  // VS_FF_PRERELEASE
    version.patched = (flags & 4) != 0;     // VS_FF_PATCHED
    version.flags = flags;
    version.flagsMask = fixed.flagsMask;
    version.os = fixed.os;
    version.type = fixed.type;
    version.subtype = fixed.subtype;
    version.date = std::uint64_t{fixed.dateHigh} << 32U | fixed.dateLow;
    Cursor children(root->children);
    while (!children.atEnd()) {
        const auto child = readBlock(children);
        if (!child) break;
        if (child->key == "StringFileInfo") readStrings(child->children, version);
        if (child->key == "VarFileInfo") readTranslations(child->children, version);
    }
    return version;
}

namespace {

std::string pogoName(std::uint32_t signature) {
    std::string name;
    for (int shift = 24; shift >= 0; shift -= 8) {
        const char letter = static_cast<char>((signature >> shift) & 0xff);
        if (letter >= ' ' && letter < 127) name += letter;
    }
    return name;
}

void readPogo(ByteView content, PeBuild& build) {
    Cursor cursor(content);
    build.pogo = pogoName(cursor.u32());
    constexpr std::uint64_t smallest = 12;  // address, size and a name, padded
    while (cursor.canHold(1, smallest)) {
        PePogoPiece piece;
        piece.address = cursor.u32();
        piece.size = cursor.u32();
        piece.name = cursor.cString();
        if (!cursor.ok()) return;
        build.pieces.push_back(std::move(piece));
        cursor.align(4);
    }
}

}  // namespace

PeBuild peBuild(const PeImage& image) {
    PeBuild build;
    for (const PeDebugEntry& entry : image.debugEntries()) {
        Cursor cursor(entry.content);
        switch (entry.type) {
        case PeDebugType::codeview: break;
        case PeDebugType::pogo: readPogo(entry.content, build); break;
        case PeDebugType::repro: {
            build.reproducible = true;
            const std::uint32_t size = cursor.u32();
            if (cursor.ok() && cursor.canHold(size, 1))
                build.reproHash = hexBytes(cursor.bytes(size).span());
            break;
        }
        case PeDebugType::extended_dll_characteristics:
            if (cursor.canHold(1, 4)) build.extendedCharacteristics = cursor.u32();
            break;
        }
    }
    return build;
}

}  // namespace icecore
