#include "symbols/export_table.h"

#include <algorithm>
#include <cstring>

#include "images/pe_layout.h"

namespace icecore {

ExportTable::ExportTable(std::shared_ptr<const PeImage> image)
    : image_(std::move(image)), exports_(image_->exports()) {
    std::erase_if(exports_, [](const PeExport& item) { return !item.forwarder.empty(); });
    for (PeExport& item : exports_) {
        if (item.name.empty()) item.name = "Ordinal" + std::to_string(item.ordinal);
    }
    std::ranges::stable_sort(exports_, {}, &PeExport::address);
    entries_.reserve(exports_.size());
    for (const PeExport& item : exports_) {
        const PeSection* section = image_->sectionAt(item.address);
        if (section == nullptr) continue;
        const std::uint32_t size = std::max(section->virtualSize, section->fileSize);
        const std::uint32_t end = std::max(section->address + size, item.address);
        entries_.push_back(
            {item.address, end, (section->characteristics & pe::sectionExecute) != 0, item.name});
    }
    for (std::size_t i = entries_.size(); i-- > 1;) {
        Entry& before = entries_[i - 1];
        const Entry& entry = entries_[i];
        // Several names at one address end at the same place.
        before.end =
            before.address == entry.address ? entry.end : std::min(before.end, entry.address);
    }
}

const ExportTable::Entry* ExportTable::at(std::uint64_t address) const {
    auto next = std::ranges::upper_bound(entries_, address, {}, &Entry::address);
    if (next == entries_.begin()) return nullptr;
    --next;
    // The first of several names at one address.
    next = std::ranges::lower_bound(entries_, next->address, {}, &Entry::address);
    return address < next->end ? &*next : nullptr;
}

std::uint32_t ExportTable::functionStart(std::uint64_t address) const {
    struct RuntimeFunction {
        Le32 begin, end, unwind;
    };
    static_assert(sizeof(RuntimeFunction) == 12);
    if (image_->machine() != pe::machineX64) return 0;
    const ByteView table = image_->functionTable();
    std::size_t low = 0, high = table.size() / sizeof(RuntimeFunction);
    const auto at = [&](std::size_t index) {
        RuntimeFunction entry;
        std::memcpy(&entry, table.data() + index * sizeof entry, sizeof entry);
        return entry;
    };
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (at(middle).begin <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return 0;
    const RuntimeFunction entry = at(low - 1);
    return address < entry.end ? std::uint32_t{entry.begin} : 0;
}

bool ExportTable::covers(const Entry& entry, std::uint64_t address) const {
    if (entry.address == address) return true;
    const std::uint32_t start = functionStart(address);
    return start != 0 && start == entry.address;
}

}  // namespace icecore
