#include "analysis/mutex_owners.h"

#include "base/text.h"

namespace icecore {

std::map<std::uint64_t, std::uint64_t> mutexOwners(const Snapshot& snapshot) {
    std::map<std::uint64_t, std::uint64_t> owners;
    const SharedBytes* list = snapshot.attachment("handles/owners");
    if (list == nullptr) return owners;
    for (const std::string_view line : split(list->text(), '\n')) {
        const std::size_t blank = line.find(' ');
        if (blank == std::string_view::npos) continue;
        const auto handle = parseHex(line.substr(0, blank));
        const auto thread = parseHex(line.substr(blank + 1));
        if (handle && thread) owners.emplace(*handle, *thread);
    }
    return owners;
}

}  // namespace icecore
