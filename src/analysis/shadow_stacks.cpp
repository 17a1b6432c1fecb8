#include "analysis/shadow_stacks.h"

#include "base/text.h"

namespace icecore {

std::map<std::uint64_t, std::uint64_t> shadowStackPointers(const Snapshot& snapshot) {
    std::map<std::uint64_t, std::uint64_t> pointers;
    for (const Attachment& attachment : snapshot.attachments) {
        const std::vector<std::string_view> parts = split(attachment.name, '/');
        if (parts.size() != 3 || parts[0] != "thread" || parts[2] != "shadow stack pointer")
            continue;
        const auto thread = parseHex(parts[1]);
        const auto pointer = parseNumber(attachment.content.text());
        if (thread && pointer) pointers.emplace(*thread, *pointer);
    }
    return pointers;
}

}  // namespace icecore
