#include "formats/aff4/zip_reader.h"

#include <algorithm>
#include <array>

#include "base/range.h"
#include "bytes/block_source.h"
#include "bytes/codec.h"
#include "bytes/crc32.h"
#include "bytes/cursor.h"
#include "formats/aff4/zip_layout.h"

namespace icecore::aff4 {

namespace {

constexpr std::uint64_t maxComment = 65535;
/// A terabyte has a bevy and its index for each 32 MiB.
constexpr std::size_t maxMembers = std::size_t{1} << 22;

struct Directory {
    std::uint64_t offset = 0, size = 0, entries = 0;
};

template <class T>
Result<T> structureAt(const Source& file, std::uint64_t at) {
    std::array<std::byte, sizeof(T)> raw{};
    ASSIGN_OR_RETURN(const std::size_t got, file.read(at, raw));
    if (got < raw.size()) return fail(Errc::truncated, "the archive is cut off", file.where(at));
    return Cursor(ByteView(raw)).structure<T>();
}

/// The record at the end, behind which only its comment stands.
Result<Directory> findDirectory(const Source& file, std::string& comment) {
    const std::uint64_t size = file.size();
    if (size < sizeof(ZipEnd)) return fail(Errc::truncated, "is no ZIP archive", file.name());
    const std::uint64_t begin = size - std::min<std::uint64_t>(size, sizeof(ZipEnd) + maxComment);
    ASSIGN_OR_RETURN(const SharedBytes tail, file.load(begin, size - begin));
    for (std::size_t at = tail.size() - sizeof(ZipEnd) + 1; at-- > 0;) {
        const std::byte* const here = tail.span().data() + at;
        if (loadInteger<std::uint32_t>(here) != zipEndMagic) continue;
        const auto end = Cursor(ByteView(tail.span().subspan(at))).structure<ZipEnd>();
        if (end.commentSize > tail.size() - at - sizeof(ZipEnd)) continue;
        const auto text = tail.span().subspan(at + sizeof(ZipEnd), end.commentSize);
        comment.assign(reinterpret_cast<const char*>(text.data()), text.size());
        Directory directory{end.centralOffset, end.centralSize, end.entries};
        const bool wide = end.centralOffset == UINT32_MAX || end.centralSize == UINT32_MAX ||
                          end.entries == UINT16_MAX;
        const std::uint64_t place = begin + at;
        if (wide && place >= sizeof(Zip64Locator)) {
            ASSIGN_OR_RETURN(const auto locator,
                             structureAt<Zip64Locator>(file, place - sizeof(Zip64Locator)));
            if (locator.magic == zip64LocatorMagic) {
                ASSIGN_OR_RETURN(const auto record, structureAt<Zip64End>(file, locator.offset));
                if (record.magic != zip64EndMagic)
                    return fail(Errc::malformed,
                                "the archive's directory is not where it should be",
                                file.where(locator.offset));
                directory = {record.centralOffset, record.centralSize, record.entries};
            }
        }
        return directory;
    }
    return fail(Errc::malformed, "has no directory at its end: cut off?", file.name());
}

/// Puts the 64-bit values of the extra field where the others say that they are there.
void widen(ByteView extra, const ZipCentral& entry, ZipMember& member) {
    Cursor cursor(extra);
    while (cursor.ok() && cursor.remaining() >= 4) {
        const std::uint16_t tag = cursor.u16();
        const std::uint16_t size = cursor.u16();
        Cursor inside(extra.slice(cursor.position(), size));
        cursor.skip(size);
        if (tag != zip64Extra) continue;
        if (entry.size == UINT32_MAX) member.size = inside.u64();
        if (entry.packed == UINT32_MAX) member.packed = inside.u64();
        if (entry.offset == UINT32_MAX) member.header = inside.u64();
        return;
    }
}

}  // namespace

Result<ZipReader> ZipReader::open(std::shared_ptr<const Source> file) {
    ZipReader reader(std::move(file));
    TRY(reader.readDirectory());
    return reader;
}

ZipReader ZipReader::walk(std::shared_ptr<const Source> file) {
    ZipReader reader(std::move(file));
    const Source& bytes = *reader.file_;
    for (std::uint64_t at = 0; reader.members_.size() < maxMembers;) {
        const auto local = structureAt<ZipLocal>(bytes, at);
        if (!local || local->magic != zipLocalMagic || local->method != zipStored ||
            (local->flags & zipSizesBehind) != 0 || local->packed != local->size ||
            local->size == UINT32_MAX)
            break;
        const auto name = bytes.load(at + sizeof(ZipLocal), local->nameSize);
        const ZipMember member{at, local->packed, local->size, local->crc, local->method};
        const auto end = reader.endOf(member);
        if (!name || !end) break;
        reader.members_.try_emplace(std::string(name->text()), member);
        at = *end;
    }
    return reader;
}

Result<std::uint64_t> ZipReader::endOf(const ZipMember& member) const {
    ASSIGN_OR_RETURN(const std::uint64_t begin, bytesBehindHeader(member));
    return begin + member.packed;
}

Result<void> ZipReader::readDirectory() {
    ASSIGN_OR_RETURN(const Directory directory, findDirectory(*file_, comment_));
    ASSIGN_OR_RETURN(const SharedBytes bytes, file_->load(directory.offset, directory.size));
    Cursor cursor(ByteView(bytes.span(), file_->name(), directory.offset));
    while (cursor.ok() && cursor.remaining() >= sizeof(ZipCentral) &&
           members_.size() < maxMembers) {
        const auto entry = cursor.structure<ZipCentral>();
        if (entry.magic != zipCentralMagic) break;
        const ByteView name = cursor.bytes(entry.nameSize);
        const ByteView extra = cursor.bytes(entry.extraSize);
        cursor.skip(entry.commentSize);
        if (!cursor.ok()) break;
        ZipMember member{entry.offset, entry.packed, entry.size, entry.crc, entry.method};
        widen(extra, entry, member);
        // The last of a name counts: archives that were appended to have several.
        members_.insert_or_assign(
            std::string(reinterpret_cast<const char*>(name.data()), name.size()), member);
    }
    if (members_.empty())
        return fail(Errc::malformed, "the archive's directory is empty or damaged",
                    file_->where(directory.offset));
    return {};
}

const ZipMember* ZipReader::find(std::string_view name) const {
    const auto found = members_.find(name);
    return found == members_.end() ? nullptr : &found->second;
}

Result<std::uint64_t> ZipReader::bytesBehindHeader(const ZipMember& member) const {
    ASSIGN_OR_RETURN(const auto local, structureAt<ZipLocal>(*file_, member.header));
    if (local.magic != zipLocalMagic)
        return fail(Errc::malformed, "a member is not where the archive says",
                    file_->where(member.header));
    const std::uint64_t begin =
        member.header + sizeof(ZipLocal) + local.nameSize + std::uint64_t{local.extraSize};
    const auto end = checkedAdd(begin, member.packed);
    if (!end || *end > file_->size())
        return fail(Errc::truncated, "a member is cut off", file_->where(member.header));
    return begin;
}

Result<std::uint64_t> ZipReader::dataOffset(const ZipMember& member) const {
    if (member.method != zipStored || member.packed != member.size)
        return fail(Errc::unsupported,
                    "a member that is packed where bytes are wanted at any place",
                    file_->where(member.header));
    return bytesBehindHeader(member);
}

Result<SharedBytes> ZipReader::load(const ZipMember& member, std::uint64_t limit) const {
    if (member.size > limit || member.packed > limit)
        return fail(Errc::limit, "a member is too large for what it should hold",
                    file_->where(member.header));
    ASSIGN_OR_RETURN(const std::uint64_t begin, bytesBehindHeader(member));
    ASSIGN_OR_RETURN(std::vector<std::byte> stored,
                     BlockSource::loadPacked(*file_, begin, member.packed));
    SharedBytes bytes;
    if (member.method == zipDeflated) {
        std::vector<std::byte> content(static_cast<std::size_t>(member.size));
        ASSIGN_OR_RETURN(const std::size_t got, unpackBlock(Codec::deflate, stored, content));
        content.resize(got);
        bytes = SharedBytes::own(std::move(content));
    } else if (member.method == zipStored) {
        bytes = SharedBytes::own(std::move(stored));
    } else {
        return fail(Errc::unsupported, "a member packed in a way that AFF4 does not use",
                    file_->where(member.header));
    }
    if (bytes.size() != member.size || crc32(bytes.span()) != member.crc)
        return fail(Errc::malformed, "a member whose checksum is wrong",
                    file_->where(member.header));
    return bytes;
}

}  // namespace icecore::aff4
