#include "monitor/linux/loader_watch.h"

#include <algorithm>

#include "bytes/elf_layout.h"
#include "images/elf_image.h"
#include "symbols/symbol_table.h"

namespace icecore::monitor {

namespace {

// struct r_debug of a 64-bit process: int r_version; r_map; r_brk; enum r_state.
constexpr std::uint64_t breakOffset = 16, stateOffset = 24;
constexpr std::uint32_t consistent = 0;  // RT_CONSISTENT

bool same(const LoadedObject& a, const LoadedObject& b) {
    return a.dynamic == b.dynamic && a.name == b.name;
}

std::vector<LoadedObject> without(const std::vector<LoadedObject>& some,
                                  const std::vector<LoadedObject>& known) {
    std::vector<LoadedObject> rest;
    for (const LoadedObject& object : some) {
        const auto isIt = [&](const LoadedObject& other) { return same(object, other); };
        if (std::ranges::none_of(known, isIt)) rest.push_back(object);
    }
    return rest;
}

}  // namespace

LoaderWatch::LoaderWatch(const live::TracedProcess& process, bool fresh) {
    const Process view = process.view();
    // The dynamic linker exports both; before it has run there is no other way.
    if (const auto base = view.auxvValue(elf::auxBase); base && *base != 0) {
        auto image = ElfImage::fromMemory(*view.memory, *base, UINT64_MAX, "dynamic linker");
        if (image) {
            const SymbolTable symbols({*image});
            for (const SymbolTable::Entry& entry : symbols.entries()) {
                std::string_view name = symbols.name(entry);
                name = name.substr(0, name.find('@'));
                if (name == "_dl_debug_state") breakpoint_ = (*image)->bias() + entry.address;
                if (name == "_r_debug") record_ = (*image)->bias() + entry.address;
            }
        }
    }
    if (record_ == 0) record_ = findDebugRecord(view).value_or(0);
    if (breakpoint_ == 0 && record_ != 0)
        breakpoint_ = view.memory->readPointer(record_ + breakOffset).value_or(0);
    Issues ignored;
    if (!fresh) objects_ = readLinkMap(view, ignored);
}

std::optional<LoaderWatch::Change> LoaderWatch::changes(const live::TracedProcess& process) {
    const Process view = process.view();
    if (record_ == 0) record_ = findDebugRecord(view).value_or(0);
    const auto state = view.memory->readInteger<std::uint32_t>(record_ + stateOffset);
    if (!state || *state != consistent) return std::nullopt;
    Issues ignored;
    auto now = readLinkMap(view, ignored);
    if (now.empty()) return std::nullopt;
    Change change{without(now, objects_), without(objects_, now)};
    objects_ = std::move(now);
    return change;
}

}  // namespace icecore::monitor
