#include "bytes/source.h"

#include <algorithm>
#include <span>

#include "base/range.h"
#include "base/text.h"

namespace icecore {

namespace {

class MemorySource final : public Source {
public:
    MemorySource(std::vector<std::byte> bytes, std::string name)
        : bytes_(std::make_shared<const std::vector<std::byte>>(std::move(bytes))),
          name_(std::move(name)) {}
    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] std::uint64_t size() const override { return bytes_->size(); }
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
        if (offset >= bytes_->size()) return std::size_t{0};
        const std::size_t count = std::min(out.size(), bytes_->size() - std::size_t{offset});
        // An empty `out` may have no address, which memcpy must not be given.
        std::ranges::copy(std::span(*bytes_).subspan(static_cast<std::size_t>(offset), count),
                          out.begin());
        return count;
    }
    [[nodiscard]] std::span<const std::byte> mapped() const override { return *bytes_; }

protected:
    [[nodiscard]] std::shared_ptr<const void> owner() const override { return bytes_; }

private:
    std::shared_ptr<const std::vector<std::byte>> bytes_;
    std::string name_;
};

}  // namespace

Result<SharedBytes> Source::load(std::uint64_t offset, std::uint64_t size) const {
    const auto end = checkedAdd(offset, size);
    if (!end || *end > this->size()) {
        return fail(Errc::truncated,
                    hex(size) + " bytes wanted, " +
                        hex(offset < this->size() ? this->size() - offset : 0) + " there",
                    where(offset));
    }
    if (const auto view = mapped(); !view.empty()) {
        return SharedBytes(owner(), view.subspan(static_cast<std::size_t>(offset),
                                                 static_cast<std::size_t>(size)));
    }
    std::vector<std::byte> copy(static_cast<std::size_t>(size));
    ASSIGN_OR_RETURN(const std::size_t got, read(offset, copy));
    if (got != copy.size())
        return fail(Errc::truncated, "the file became shorter while it was read", where(offset));
    return SharedBytes::own(std::move(copy));
}

std::string Source::where(std::uint64_t offset) const {
    return name() + " at " + hex(offset);
}

std::shared_ptr<const Source> memorySource(std::vector<std::byte> bytes, std::string name) {
    return std::make_shared<MemorySource>(std::move(bytes), std::move(name));
}

}  // namespace icecore
