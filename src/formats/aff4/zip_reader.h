// The members of a ZIP file. Our own: of the whole format AFF4 uses stored members of any size and
// small deflated ones, and what is read here must not trust a single number.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "bytes/source.h"

namespace icecore::aff4 {

struct ZipMember {
    std::uint64_t header = 0;  ///< offset of its local header
    std::uint64_t packed = 0, size = 0;
    std::uint32_t crc = 0;
    std::uint16_t method = 0;
};

class ZipReader {
public:
    /// Reads the central directory; `malformed` where there is none.
    static Result<ZipReader> open(std::shared_ptr<const Source> file);
    /// Of an archive that has no directory yet: the members, one behind the other from its
    /// beginning, that are whole and whose sizes stand before them, not packed. May find none.
    static ZipReader walk(std::shared_ptr<const Source> file);

    [[nodiscard]] const ZipMember* find(std::string_view name) const;
    [[nodiscard]] const std::map<std::string, ZipMember, std::less<>>& members() const {
        return members_;
    }
    [[nodiscard]] const std::string& comment() const { return comment_; }
    /// Where a member ends in the file.
    [[nodiscard]] Result<std::uint64_t> endOf(const ZipMember& member) const;
    [[nodiscard]] const Source& file() const { return *file_; }

    /// Where a stored member's bytes begin; `unsupported` for packed ones.
    [[nodiscard]] Result<std::uint64_t> dataOffset(const ZipMember& member) const;
    /// All of a member, at most `limit` bytes, its checksum checked.
    [[nodiscard]] Result<SharedBytes> load(const ZipMember& member, std::uint64_t limit) const;

private:
    explicit ZipReader(std::shared_ptr<const Source> file) : file_(std::move(file)) {}
    Result<void> readDirectory();
    [[nodiscard]] Result<std::uint64_t> bytesBehindHeader(const ZipMember& member) const;

    std::shared_ptr<const Source> file_;
    std::map<std::string, ZipMember, std::less<>> members_;
    std::string comment_;
};

}  // namespace icecore::aff4
