// Which blocks an xz file is made of.
// Specification: "The .xz File Format", 1.1.0 (tukaani.org/xz/xz-file-format.txt).
#pragma once

#include <lzma.h>

#include <optional>
#include <vector>

#include "base/error.h"
#include "bytes/forward_source.h"

namespace icecore {

struct XzBlock {
    std::uint64_t file = 0;     ///< offset of its header
    std::uint64_t content = 0;  ///< offset of what it holds
    std::uint64_t size = 0;     ///< bytes of that
    lzma_check check = LZMA_CHECK_NONE;
    bool whole = true;  ///< not cut off or damaged, as far as is known
};

struct XzBlocks {
    std::vector<XzBlock> blocks;  ///< ascending; none is empty
    std::optional<Error> damage;  ///< why there are no more
    [[nodiscard]] std::uint64_t size() const {
        return blocks.empty() ? 0 : blocks.back().content + blocks.back().size;
    }
};

/// By the indices at the ends of the streams, else by walking from block to block.
Result<XzBlocks> findXzBlocks(const std::shared_ptr<const Source>& file);

/// Unpacks blocks one after another, from `blocks[first]` on. Both must outlive it.
std::unique_ptr<ForwardDecoder> xzDecoder(const std::shared_ptr<const Source>& file,
                                          const std::vector<XzBlock>& blocks, std::size_t first);

}  // namespace icecore
