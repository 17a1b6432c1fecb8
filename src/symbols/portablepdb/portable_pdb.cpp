#include "symbols/portablepdb/portable_pdb.h"

#include <libdeflate.h>

#include <algorithm>
#include <bit>

#include "base/range.h"
#include "bytes/cursor.h"
#include "symbols/compressed_integer.h"

namespace icecore {

namespace {

constexpr std::uint32_t metadataSignature = 0x424a5342;  // "BSJB"
constexpr std::uint32_t embeddedSignature = 0x4244504d;  // "MPDB"
constexpr auto embeddedType = static_cast<PeDebugType>(17);
constexpr unsigned tableDocument = 0x30, tableMethod = 0x31;

/// The sign is the lowest bit, the number of sign bits depends on the size. Wraps around.
std::uint32_t compressedSigned(Cursor& cursor) {
    const std::uint64_t before = cursor.position();
    const std::uint32_t value = compressedInteger(cursor);
    const std::uint32_t magnitude = value >> 1;
    if ((value & 1) == 0) return magnitude;
    switch (cursor.position() - before) {
    case 1: return magnitude | 0xffffffc0;
    case 2: return magnitude | 0xffffe000;
    default: return magnitude | 0xf0000000;
    }
}

std::uint32_t indexOf(Cursor& cursor, std::size_t size) {
    return static_cast<std::uint32_t>(cursor.unsignedOf(size));
}

}  // namespace

bool PortablePdb::looksLike(const Source& source) {
    const auto bytes = source.load(0, std::min<std::uint64_t>(4, source.size()));
    return bytes && bytes->size() == 4 &&
           loadInteger<std::uint32_t>(bytes->span().data()) == metadataSignature;
}

Result<std::shared_ptr<const PortablePdb>> PortablePdb::open(std::shared_ptr<const Source> source) {
    std::shared_ptr<PortablePdb> file(new PortablePdb);
    file->source_ = std::move(source);
    file->file_ = ByteView(file->source_->mapped(), file->source_->name());
    TRY(file->readRoot());
    return file;
}

Result<std::shared_ptr<const PortablePdb>> PortablePdb::embedded(const PeImage& image) {
    for (const PeDebugEntry& entry : image.debugEntries()) {
        if (entry.type != embeddedType) continue;
        Cursor cursor(entry.content);
        const std::uint32_t signature = cursor.u32();
        const std::uint32_t size = cursor.u32();
        const std::string name = image.name() + ", embedded PDB";
        if (!cursor.ok() || signature != embeddedSignature)
            return fail(Errc::malformed, "is not what its type says", name);
        const ByteView packed = cursor.bytes(cursor.remaining());
        // Deflate makes nothing smaller than a thousandth.
        constexpr std::uint64_t mostGrowth = 1100;
        if (size > packed.size() * mostGrowth)
            return fail(Errc::malformed, "says that it unpacks to more than it can", name);
        std::vector<std::byte> content(size);
        const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>
            decoder(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
        if (!decoder) return fail(Errc::internal, "libdeflate does not start");
        if (libdeflate_deflate_decompress(decoder.get(), packed.data(), packed.size(),
                                          content.data(), content.size(),
                                          nullptr) != LIBDEFLATE_SUCCESS)
            return fail(Errc::malformed, "its compressed data are damaged", name);
        return open(memorySource(std::move(content), name));
    }
    return fail(Errc::not_found, "holds no PDB", image.name());
}

Result<void> PortablePdb::readRoot() {
    Cursor root(file_);
    if (root.u32() != metadataSignature)
        return fail(Errc::malformed, "is no portable PDB", source_->name());
    root.skip(8);  // version, reserved
    const std::uint32_t versionSize = root.u32();
    root.skip(versionSize);
    root.skip(2);  // flags
    const std::uint16_t count = root.u16();
    ByteView tables, identity;
    for (std::uint16_t i = 0; i < count && root.ok(); ++i) {
        const std::uint32_t offset = root.u32();
        const std::uint32_t size = root.u32();
        const std::string_view name = root.cString();
        root.align(4);
        const ByteView content = file_.slice(offset, size);
        if (name == "#~") tables = content;
        if (name == "#Pdb") identity = content;
        if (name == "#Blob") blobs_ = content;
    }
    TRY(root.status("the portable PDB's list of streams"));
    Cursor pdb(identity);
    const ByteView id = pdb.bytes(id_.size());
    if (!pdb.ok()) return fail(Errc::malformed, "is metadata without a #Pdb stream", name());
    std::ranges::copy(id.span(), id_.begin());
    return readTables(tables);
}

Result<void> PortablePdb::readTables(ByteView stream) {
    Cursor cursor(stream);
    cursor.skip(6);
    const std::uint8_t heaps = cursor.u8();
    cursor.skip(1);
    const std::uint64_t present = cursor.u64();
    cursor.skip(8);  // which are sorted
    guidIndexSize_ = (heaps & 2) != 0 ? 4 : 2;
    blobIndexSize_ = (heaps & 4) != 0 ? 4 : 2;
    if ((present & ((std::uint64_t{1} << tableDocument) - 1)) != 0)
        return fail(Errc::unsupported, "holds a program's metadata together with its lines",
                    name());
    for (unsigned table = tableDocument; table < 64; ++table) {
        if ((present >> table & 1) == 0) continue;
        const std::uint32_t rows = cursor.u32();
        if (table == tableDocument) documents_.rows = rows;
        if (table == tableMethod) methods_.rows = rows;
    }
    TRY(cursor.status("the portable PDB's tables"));
    constexpr std::uint32_t mostShort = 0xffff;
    documentIndexSize_ = documents_.rows > mostShort ? 4 : 2;
    const std::uint64_t documentRow = 2 * blobIndexSize_ + 2 * guidIndexSize_;
    const std::uint64_t methodRow = documentIndexSize_ + blobIndexSize_;
    if (!cursor.canHold(documents_.rows, documentRow))
        return fail(Errc::truncated, "its list of documents is cut short", name());
    documents_.rowsView = cursor.bytes(documents_.rows * documentRow);
    if (!cursor.canHold(methods_.rows, methodRow))
        return fail(Errc::truncated, "its list of methods is cut short", name());
    methods_.rowsView = cursor.bytes(methods_.rows * methodRow);
    return {};
}

bool PortablePdb::matches(const PeImage& image) const {
    const auto view = image.codeView();
    if (!view || !std::equal(view->guid.begin(), view->guid.end(), id_.begin())) return false;
    const auto stamp = loadInteger<std::uint32_t>(id_.data() + view->guid.size());
    return std::ranges::any_of(image.debugEntries(), [&](const PeDebugEntry& entry) {
        return entry.type == PeDebugType::codeview && entry.timestamp == stamp;
    });
}

ByteView PortablePdb::blob(std::uint64_t offset) const {
    Cursor cursor(blobs_.slice(offset));
    const std::uint32_t size = compressedInteger(cursor);
    return cursor.bytes(size);
}

std::string PortablePdb::document(std::uint32_t row) const {
    if (row == 0 || row > documents_.rows) return {};
    const std::uint64_t rowSize = 2 * blobIndexSize_ + 2 * guidIndexSize_;
    Cursor cursor(documents_.rowsView.slice((row - 1) * rowSize, rowSize));
    // A separator, then the parts of the path, each a blob of its own.
    Cursor parts(blob(indexOf(cursor, blobIndexSize_)));
    const char separator = static_cast<char>(parts.u8());
    std::string path;
    constexpr std::size_t longest = 4096;
    for (bool first = true; !parts.atEnd() && parts.ok() && path.size() < longest; first = false) {
        if (!first && separator != '\0') path += separator;
        const ByteView part = blob(compressedInteger(parts));
        path.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
    return path;
}

std::vector<SequencePoint> PortablePdb::sequencePoints(std::uint32_t method) const {
    std::vector<SequencePoint> points;
    if (method == 0 || method > methods_.rows) return points;
    const std::uint64_t rowSize = documentIndexSize_ + blobIndexSize_;
    Cursor row(methods_.rowsView.slice((method - 1) * rowSize, rowSize));
    SequencePoint current;
    current.document = indexOf(row, documentIndexSize_);
    const std::uint32_t offset = indexOf(row, blobIndexSize_);
    if (offset == 0) return points;
    Cursor cursor(blob(offset));
    (void)compressedInteger(cursor);  // the signature of the locals
    if (current.document == 0) current.document = compressedInteger(cursor);
    std::uint32_t line = 0, column = 0;
    bool placed = false;
    while (!cursor.atEnd() && cursor.ok()) {
        const std::uint32_t step = compressedInteger(cursor);
        if (!points.empty() && step == 0) {
            current.document = compressedInteger(cursor);
            continue;
        }
        current.ilOffset += step;
        const std::uint32_t lines = compressedInteger(cursor);
        const std::uint32_t columns =
            lines == 0 ? compressedInteger(cursor) : compressedSigned(cursor);
        SequencePoint point = current;
        point.hidden = lines == 0 && columns == 0;
        if (!point.hidden) {
            line = placed ? line + compressedSigned(cursor) : compressedInteger(cursor);
            column = placed ? column + compressedSigned(cursor) : compressedInteger(cursor);
            placed = true;
            point.line = line;
            point.column = column;
            point.endLine = line + lines;
            point.endColumn = column + columns;
        }
        if (cursor.ok()) points.push_back(point);
    }
    return points;
}

std::optional<SequencePoint> PortablePdb::pointAt(std::uint32_t method,
                                                  std::uint32_t ilOffset) const {
    std::optional<SequencePoint> best;
    for (const SequencePoint& point : sequencePoints(method)) {
        if (point.ilOffset > ilOffset) break;
        best = point;
    }
    return best;
}

}  // namespace icecore
