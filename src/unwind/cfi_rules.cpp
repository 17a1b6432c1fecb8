#include "unwind/cfi_rules.h"

namespace icecore {

CfiRules::CfiRules(const Process& process, const Symbolizer& symbolizer)
    : process_(process),
      symbolizer_(symbolizer),
      slots_(std::make_unique<Slot[]>(process.modules.size())) {}

std::unique_ptr<const ModuleCfi> CfiRules::open(const Module& module) const {
    const ModuleSymbols& symbols = symbolizer_.module(module);
    // A file that is used in spite of a mismatch may name functions; it must not unwind stacks.
    std::shared_ptr<const ElfImage> image = symbols.forced ? nullptr : symbols.image;
    std::string debugPath = symbols.forced || symbols.debugPath == symbols.imagePath
                                ? std::string()
                                : symbols.debugPath;
    if (image == nullptr) {
        auto loaded = ElfImage::fromMemory(*process_.memory, module.range.begin(),
                                           module.range.size(), module.path);
        if (loaded) image = *std::move(loaded);
    }
    const std::uint64_t base = image == nullptr ? 0 : image->imageBase();
    return std::make_unique<const ModuleCfi>(std::move(image), std::move(debugPath),
                                             module.bias.value_or(module.range.begin() - base));
}

const ModuleCfi* CfiRules::moduleCfi(const Module& module) const {
    const auto index = static_cast<std::size_t>(&module - process_.modules.items.data());
    Slot& slot = slots_[index];
    std::call_once(slot.once, [&] { slot.cfi = open(module); });
    return slot.cfi.get();
}

const UnwindRow* CfiRules::at(std::uint64_t address, UnwindRow& scratch) const {
    const UnwindRow* row = cache_.find(address);
    if (row == nullptr) {
        const Module* module = process_.moduleAt(address);
        if (module == nullptr) return nullptr;
        scratch = moduleCfi(*module)->row(address).value_or(UnwindRow{});
        row = cache_.add(address, scratch);
        if (row == nullptr) row = &scratch;
    }
    return row->section == nullptr ? nullptr : row;
}

}  // namespace icecore
