#include "model/process.h"

#include <algorithm>

#include "base/text.h"

namespace icecore {

namespace {
/// In a list ascending by range, the item that contains `address`, or null.
template <class T>
const T* findByRange(const std::vector<T>& items, std::uint64_t address) {
    auto next = std::upper_bound(
        items.begin(), items.end(), address,
        [](std::uint64_t value, const T& item) { return value < item.range.begin(); });
    if (next == items.begin()) return nullptr;
    --next;
    return next->range.contains(address) ? &*next : nullptr;
}
}  // namespace

std::string_view toString(Os os) {
    switch (os) {
    case Os::unknown: return "unknown";
    case Os::linux_os: return "Linux";
    case Os::windows: return "Windows";
    case Os::macos: return "macOS";
    case Os::android: return "Android";
    case Os::other: return "other";
    }
    return "unknown";
}

std::string_view toString(RegionKind kind) {
    switch (kind) {
    case RegionKind::unknown: return "unknown";
    case RegionKind::anonymous: return "anonymous";
    case RegionKind::file: return "file";
    case RegionKind::image: return "image";
    case RegionKind::shared: return "shared";
    case RegionKind::stack: return "stack";
    case RegionKind::heap: return "heap";
    case RegionKind::vdso: return "vdso";
    case RegionKind::special: return "special";
    case RegionKind::reserved: return "reserved";
    case RegionKind::free: return "free";
    }
    return "unknown";
}

std::string ModuleId::text() const {
    if (kind == Kind::none) return {};
    if (kind == Kind::build_id || bytes.size() != 16) return hexBytes(bytes);
    // A GUID is stored as u32, u16, u16 little-endian and eight bytes; symbol servers spell the
    // numbers, then the age in hex without padding.
    const std::byte* raw = bytes.data();
    std::string name = hexDigits(loadInteger<std::uint32_t>(raw), 8) +
                       hexDigits(loadInteger<std::uint16_t>(raw + 4), 4) +
                       hexDigits(loadInteger<std::uint16_t>(raw + 6), 4) +
                       hexBytes(std::span(bytes).subspan(8)) + hexDigits(age, 1);
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return name;
}

std::string_view Module::fileName() const {
    const std::string_view whole = path;
    const std::size_t slash = whole.find_last_of("/\\");
    return slash == std::string_view::npos ? whole : whole.substr(slash + 1);
}

std::string_view Module::shortName() const {
    const std::string_view file = fileName();
    if (file.size() > 2 && file.front() == '[' && file.back() == ']')
        return file.substr(1, file.size() - 2);
    for (std::size_t at = file.find(".so", 1); at != std::string_view::npos;
         at = file.find(".so", at + 1)) {
        const std::size_t end = at + 3;
        if (end == file.size() || file[end] == '.') return file.substr(0, at);
    }
    const std::size_t dot = file.rfind('.');
    const auto isLetter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const bool extension = dot != std::string_view::npos && dot > 0 && dot + 1 < file.size() &&
                           std::ranges::all_of(file.substr(dot + 1), isLetter);
    return extension ? file.substr(0, dot) : file;
}

const Thread* Process::thread(std::uint64_t id) const {
    const auto found = std::ranges::find(threads.items, id, &Thread::id);
    return found == threads.items.end() ? nullptr : &*found;
}

const Module* Process::moduleAt(std::uint64_t address) const {
    return findByRange(modules.items, address);
}

const Region* Process::regionAt(std::uint64_t address) const {
    return findByRange(regions.items, address);
}

std::optional<std::uint64_t> Process::auxvValue(std::uint64_t type) const {
    for (const auto& [key, value] : auxv) {
        if (key == type) return value;
    }
    return std::nullopt;
}

}  // namespace icecore
