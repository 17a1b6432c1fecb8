#include "symbols/pdb/address_map.h"

#include <algorithm>

#include "bytes/cursor.h"

namespace icecore::pdb {

AddressMap::AddressMap(const MsfStream& sections, const MsfStream& omapTo,
                       const MsfStream& omapFrom)
    : toLinked_(readSteps(omapTo)), toImage_(readSteps(omapFrom)) {
    // Section numbers have sixteen bits.
    constexpr std::uint64_t most = 0xffff;
    const SharedBytes bytes = sections.load(0, most * sizeof(SectionHeader));
    Cursor cursor(bytes.span());
    while (cursor.canHold(1, sizeof(SectionHeader))) {
        const auto header = cursor.structure<SectionHeader>();
        sections_.push_back(
            {header.address, std::max<std::uint32_t>(header.virtualSize, header.rawSize)});
    }
}

std::vector<AddressMap::Step> AddressMap::readSteps(const MsfStream& stream) {
    std::vector<Step> steps;
    const SharedBytes bytes = stream.loadAll();
    Cursor cursor(bytes.span());
    steps.reserve(bytes.size() / sizeof(OmapEntry));
    while (cursor.canHold(1, sizeof(OmapEntry))) {
        const auto entry = cursor.structure<OmapEntry>();
        steps.push_back({entry.from, entry.to});
    }
    if (!std::ranges::is_sorted(steps, {}, &Step::from))
        std::ranges::stable_sort(steps, {}, &Step::from);
    return steps;
}

std::optional<std::uint32_t> AddressMap::follow(const std::vector<Step>& steps,
                                                std::uint32_t address) {
    if (steps.empty()) return address;
    const auto next = std::ranges::upper_bound(steps, address, {}, &Step::from);
    if (next == steps.begin()) return std::nullopt;
    const Step& step = *(next - 1);
    if (step.to == 0) return std::nullopt;
    return step.to + (address - step.from);
}

std::optional<std::uint32_t> AddressMap::fromImage(std::uint32_t loaded) const {
    return follow(toLinked_, loaded);
}

std::optional<std::uint32_t> AddressMap::toImage(std::uint32_t linked) const {
    return follow(toImage_, linked);
}

std::uint32_t AddressMap::distance(std::uint32_t loaded, std::uint32_t linkedBegin,
                                   std::uint32_t linkedSize) const {
    const std::uint32_t plain = fromImage(loaded).value_or(loaded) - linkedBegin;
    if (!rearranged()) return plain;
    const auto begin = toImage(linkedBegin);
    if (!begin || *begin > loaded) return plain;
    auto step = std::ranges::upper_bound(toLinked_, *begin, {}, &Step::from);
    for (; step != toLinked_.end() && step->from <= loaded; ++step) {
        const bool own =
            step->to == 0 || (step->to >= linkedBegin && step->to - linkedBegin < linkedSize);
        if (!own) return plain;
    }
    return loaded - *begin;
}

std::optional<std::uint32_t> AddressMap::linked(std::uint32_t section, std::uint32_t offset) const {
    if (section == 0 || section > sections_.size()) return std::nullopt;
    const auto sum = checkedAdd(sections_[section - 1].address, offset);
    if (!sum || *sum > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(*sum);
}

std::optional<AddressMap::Place> AddressMap::place(std::uint32_t linked) const {
    for (std::size_t i = 0; i < sections_.size(); ++i) {
        const Section& section = sections_[i];
        if (linked >= section.address && linked - section.address < section.size)
            return Place{static_cast<std::uint32_t>(i + 1), linked - section.address};
    }
    return std::nullopt;
}

std::uint32_t AddressMap::sectionSize(std::uint32_t section) const {
    return section == 0 || section > sections_.size() ? 0 : sections_[section - 1].size;
}

}  // namespace icecore::pdb
