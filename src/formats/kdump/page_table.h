// The table of a kdump file that says where each stored page lies.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "bytes/source.h"
#include "formats/kdump/layout.h"

namespace icecore::kdump {

/// Descriptors, read many at a time: the next pages' stand beside the one that is asked for. The
/// last blocks of them are kept, so that a page asked for twice, or one of its neighbours, costs no
/// further read of the file. Threads may share it.
class PageTable {
public:
    /// The first descriptor stands at `offset`.
    PageTable(std::shared_ptr<const Source> file, std::uint64_t offset)
        : file_(std::move(file)), offset_(offset) {}

    /// Descriptor `number`, whatever it says. `truncated` where the file ends in it or before.
    [[nodiscard]] Result<PageDescriptor> at(std::uint64_t number) const;

private:
    using Block = std::vector<PageDescriptor>;
    struct Kept {
        std::uint64_t number;
        std::shared_ptr<const Block> block;
    };
    [[nodiscard]] std::shared_ptr<const Block> kept(std::uint64_t number) const;
    [[nodiscard]] Result<std::shared_ptr<const Block>> load(std::uint64_t number) const;

    std::shared_ptr<const Source> file_;
    std::uint64_t offset_;
    mutable std::mutex mutex_;
    mutable std::list<Kept> kept_;  ///< most recently used first
};

}  // namespace icecore::kdump
