#include "bytes/flat_source.h"

#include <algorithm>
#include <array>
#include <ranges>

#include "base/range.h"
#include "base/text.h"
#include "bytes/endian.h"
#include "bytes/imperfect.h"

namespace icecore {

namespace {

/// Beyond this many records their list would take gigabytes.
constexpr std::size_t maxRecords = std::size_t{1} << 24;

struct Record {
    Range content;
    std::uint64_t file = 0;  ///< offset of the bytes
};

class FlatSource final : public Source, public ImperfectSource {
public:
    FlatSource(std::shared_ptr<const Source> file, RangeMap<std::uint64_t> map, bool cut)
        : file_(std::move(file)), map_(std::move(map)), cut_(cut) {
        if (!map_.empty()) size_ = map_.entries().back().range.end();
    }
    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size() && offset < size_ && done < size_ - offset) {
            const std::uint64_t at = offset + done;
            const auto* entry = map_.findAtOrAfter(at);
            if (entry == nullptr) break;
            const auto left = out.subspan(done);
            if (entry->range.begin() > at) {  // never written: as a file's hole
                const auto gap = static_cast<std::size_t>(
                    std::min<std::uint64_t>(left.size(), entry->range.begin() - at));
                std::ranges::fill(left.first(gap), std::byte{0});
                done += gap;
                continue;
            }
            const auto count = static_cast<std::size_t>(
                std::min<std::uint64_t>(left.size(), entry->range.end() - at));
            ASSIGN_OR_RETURN(
                const std::size_t got,
                file_->read(entry->value + (at - entry->range.begin()), left.first(count)));
            done += got;
            if (got < count) break;
        }
        return done;
    }

    [[nodiscard]] Issues issues() const override {
        Issues all = issuesOf(*file_);
        all.note("flattened, as makedumpfile writes into pipes");
        if (cut_) all.loss("the flattened file ends before its end mark", file_->name());
        return all;
    }

private:
    std::shared_ptr<const Source> file_;
    RangeMap<std::uint64_t> map_;
    bool cut_;
    std::uint64_t size_ = 0;
};

}  // namespace

bool isFlattened(const Source& source) {
    std::array<std::byte, flatSignature.size()> start{};
    const auto got = source.read(0, start);
    return got && *got == start.size() &&
           std::string_view(reinterpret_cast<const char*>(start.data()), start.size()) ==
               flatSignature;
}

Result<std::shared_ptr<const Source>> openFlattened(std::shared_ptr<const Source> file) {
    std::vector<Record> records;
    std::uint64_t at = flatHeaderSize;
    bool cut = true;
    while (records.size() < maxRecords) {
        std::array<std::byte, flatRecordSize> raw{};
        const auto got = file->read(at, raw);
        if (!got || *got < raw.size()) break;
        const auto offset = loadInteger<std::uint64_t>(raw.data(), std::endian::big);
        const auto size = loadInteger<std::uint64_t>(raw.data() + 8, std::endian::big);
        if (offset == UINT64_MAX && size == UINT64_MAX) {
            cut = false;
            break;
        }
        if (size == 0 || size > file->size() || offset > INT64_MAX)
            return fail(Errc::malformed, "a record of no possible size", file->where(at));
        at += raw.size();
        const std::uint64_t there =
            at < file->size() ? std::min(size, file->size() - at) : std::uint64_t{0};
        if (there > 0) records.push_back({Range::ofSize(offset, there), at});
        at += size;
    }
    if (records.size() == maxRecords)
        return fail(Errc::limit, "more records than can be listed: `makedumpfile -R` joins them",
                    file->name());
    // What is written later replaces what was there: the last goes first.
    RangeMap<std::uint64_t> map;
    map.reserve(records.size());
    for (const auto& record : std::views::reverse(records))
        map.add(record.content, record.file);
    map.seal([](std::uint64_t& offset, std::uint64_t bytes) { offset += bytes; });
    return std::make_shared<FlatSource>(std::move(file), std::move(map), cut);
}

}  // namespace icecore
