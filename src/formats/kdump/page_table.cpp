#include "formats/kdump/page_table.h"

#include <algorithm>

#include "base/range.h"
#include "bytes/cursor.h"

namespace icecore::kdump {

namespace {

/// 4 KiB of the table are those of 680 KiB of memory.
constexpr std::uint64_t inBlock = 4096 / sizeof(PageDescriptor);
/// As many as threads that convert different pieces, and somebody who looks here and there.
constexpr std::size_t keptBlocks = 32;

}  // namespace

Result<PageDescriptor> PageTable::at(std::uint64_t number) const {
    auto block = kept(number / inBlock);
    if (!block) {
        ASSIGN_OR_RETURN(block, load(number / inBlock));
    }
    const auto inside = static_cast<std::size_t>(number % inBlock);
    if (inside >= block->size())
        return fail(Errc::truncated, "the table of pages is cut off", file_->where(offset_));
    return (*block)[inside];
}

std::shared_ptr<const PageTable::Block> PageTable::kept(std::uint64_t number) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(kept_, number, &Kept::number);
    if (found == kept_.end()) return nullptr;
    kept_.splice(kept_.begin(), kept_, found);
    return kept_.front().block;
}

/// Outside the lock: threads load different blocks at the same time. Two that want the same one do
/// it twice, which is rare and harmless.
Result<std::shared_ptr<const PageTable::Block>> PageTable::load(std::uint64_t number) const {
    std::vector<std::byte> raw(inBlock * sizeof(PageDescriptor));
    const auto from = checkedMultiply(number, raw.size());
    const auto at = from ? checkedAdd(offset_, *from) : std::nullopt;
    if (!at) return fail(Errc::truncated, "the table of pages is cut off", file_->where(offset_));
    ASSIGN_OR_RETURN(const std::size_t got, file_->read(*at, raw));
    Block block(got / sizeof(PageDescriptor));
    Cursor cursor{ByteView(raw)};
    for (PageDescriptor& descriptor : block)
        descriptor = cursor.structure<PageDescriptor>();
    auto content = std::make_shared<const Block>(std::move(block));
    const std::lock_guard lock(mutex_);
    kept_.push_front({number, content});
    if (kept_.size() > keptBlocks) kept_.pop_back();
    return content;
}

}  // namespace icecore::kdump
