#include "bytes/sink.h"

#include <algorithm>

#include "base/range.h"

namespace icecore {

Result<void> Sink::patch(std::uint64_t, std::span<const std::byte>) {
    return fail(Errc::unsupported, "this destination cannot be written twice");
}

Result<void> padTo(Sink& sink, std::uint64_t alignment) {
    return sink.zeros(alignUp(sink.position(), alignment) - sink.position());
}

Result<void> MemorySink::write(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    position_ += bytes.size();
    return {};
}

Result<void> MemorySink::zeros(std::uint64_t count) {
    bytes_.resize(bytes_.size() + static_cast<std::size_t>(count));
    position_ += count;
    return {};
}

Result<void> MemorySink::patch(std::uint64_t offset, std::span<const std::byte> bytes) {
    const auto end = checkedAdd(offset, bytes.size());
    if (!end || *end > bytes_.size()) return fail(Errc::internal, "patch beyond what was written");
    std::ranges::copy(bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
}

}  // namespace icecore
