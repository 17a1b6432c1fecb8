#include "formats/aff4/zip_writer.h"

#include <algorithm>

#include "bytes/crc32.h"
#include "formats/aff4/zip_layout.h"

namespace icecore::aff4 {

namespace {

/// 1980-01-01, where the format's calendar begins: the image says itself when it was made.
constexpr std::uint16_t noDate = (1U << 5) | 1U;
/// Where a member lies beyond 4 GiB.
constexpr std::uint16_t farExtra = 12;

}  // namespace

Result<void> ZipWriter::add(std::string_view name,
                            std::span<const std::span<const std::byte>> parts) {
    std::uint64_t size = 0;
    std::uint32_t crc = 0;
    for (const auto part : parts) {
        size += part.size();
        crc = crc32(part, crc);
    }
    if (size >= UINT32_MAX || name.size() > UINT16_MAX)
        return fail(Errc::limit, "a member that is too large for one");
    Entry entry{std::string(name), sink_.position(), static_cast<std::uint32_t>(size), crc};
    ZipLocal local{};
    local.magic = zipLocalMagic;
    local.version = zip64Version;
    local.flags = zipUtf8Names;
    local.date = noDate;
    local.crc = entry.crc;
    local.packed = local.size = entry.size;
    local.nameSize = static_cast<std::uint16_t>(name.size());
    TRY(sink_.write(bytesOf(local)));
    TRY(sink_.write(std::as_bytes(std::span(name))));
    entries_.push_back(std::move(entry));
    for (const auto part : parts)
        TRY(sink_.write(part));
    return {};
}

std::uint64_t ZipWriter::costOf(std::string_view name, std::uint64_t size) {
    return sizeof(ZipLocal) + sizeof(ZipCentral) + farExtra + 2 * name.size() + size;
}

std::uint64_t ZipWriter::costOfEnd(std::string_view comment) {
    return sizeof(Zip64End) + sizeof(Zip64Locator) + sizeof(ZipEnd) + comment.size();
}

Result<void> ZipWriter::finish(std::string_view comment) {
    const std::uint64_t begin = sink_.position();
    for (const Entry& entry : entries_) {
        const bool far = entry.offset >= UINT32_MAX;
        ZipCentral central{};
        central.magic = zipCentralMagic;
        central.madeBy = central.version = zip64Version;
        central.flags = zipUtf8Names;
        central.date = noDate;
        central.crc = entry.crc;
        central.packed = central.size = entry.size;
        central.nameSize = static_cast<std::uint16_t>(entry.name.size());
        central.extraSize = far ? farExtra : 0;
        central.offset = far ? UINT32_MAX : static_cast<std::uint32_t>(entry.offset);
        TRY(sink_.write(bytesOf(central)));
        TRY(sink_.write(std::as_bytes(std::span(entry.name))));
        if (!far) continue;
        std::vector<std::byte> extra;
        appendInteger(extra, zip64Extra);
        appendInteger(extra, std::uint16_t{8});
        appendInteger(extra, entry.offset);
        TRY(sink_.write(extra));
    }
    const std::uint64_t end = sink_.position();
    Zip64End wide{};
    wide.magic = zip64EndMagic;
    wide.size = sizeof(Zip64End) - 12;
    wide.madeBy = wide.version = zip64Version;
    wide.entriesHere = wide.entries = entries_.size();
    wide.centralSize = end - begin;
    wide.centralOffset = begin;
    TRY(sink_.write(bytesOf(wide)));
    Zip64Locator locator{};
    locator.magic = zip64LocatorMagic;
    locator.offset = end;
    locator.disks = 1;
    TRY(sink_.write(bytesOf(locator)));
    ZipEnd last{};
    last.magic = zipEndMagic;
    last.entriesHere = last.entries =
        static_cast<std::uint16_t>(std::min<std::size_t>(entries_.size(), UINT16_MAX));
    last.centralSize = static_cast<std::uint32_t>(std::min<std::uint64_t>(end - begin, UINT32_MAX));
    last.centralOffset = UINT32_MAX;  // see the record before: pyaff4 looks there only then
    last.commentSize = static_cast<std::uint16_t>(comment.size());
    TRY(sink_.write(bytesOf(last)));
    return sink_.write(std::as_bytes(std::span(comment)));
}

}  // namespace icecore::aff4
