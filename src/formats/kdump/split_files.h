// Dumps that makedumpfile wrote in parts (--split): several files, each with some of the pages.
#pragma once

#include <memory>
#include <vector>

#include "base/range.h"
#include "bytes/source.h"
#include "formats/kdump/page_source.h"

namespace icecore::kdump {

/// The pages that a file of several has, below `endPage`.
Range pagesOf(const Header& header, const SubHeader& sub, std::uint64_t endPage);
/// The bitmap of pages that are stored in any of the files: each has all of it.
Result<SharedBytes> bitmapOf(const Source& file, const Header& header);

struct SplitFile {
    std::shared_ptr<const Source> file;
    SubHeader sub;
};
/// Those in the same folder whose header is that of `file`: the same kernel, moment and shape.
/// Their names tell nothing. `file` itself is among them.
std::vector<SplitFile> otherSplitFiles(const Source& file, const Header& header);

struct PagePart {
    Range pages;  ///< numbers, not addresses
    std::shared_ptr<const PageSource> source;
};

/// The pages of all the files, by physical address.
class PartedPages final : public Source {
public:
    PartedPages(std::string name, std::uint64_t pageSize, std::vector<PagePart> parts);
    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const override;
    [[nodiscard]] bool has(std::uint64_t page) const;

private:
    [[nodiscard]] const PagePart* partOf(std::uint64_t page) const;
    std::string name_;
    std::uint64_t pageSize_, size_ = 0;
    std::vector<PagePart> parts_;  ///< ascending
};

}  // namespace icecore::kdump
