#include "bytes/seekable_zstd.h"

#include <zstd.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <optional>

#include "base/range.h"
#include "base/text.h"
#include "bytes/seekable_zstd_format.h"

namespace icecore {

namespace {

using namespace zstd_format;

/// A frame is decompressed as a whole: what is bigger cannot be read on demand.
constexpr std::uint64_t maxContentPerFrame = std::uint64_t{128} << 20;
/// Decompressed frames kept, in bytes; the newest two stay whatever their size.
constexpr std::uint64_t cacheBytes = std::uint64_t{16} << 20;

struct Frame {
    std::uint64_t offset = 0;   ///< of the frame in the file
    std::uint64_t content = 0;  ///< offset of its content
    std::uint32_t compressedSize = 0;
    std::uint32_t contentSize = 0;
};

/// A trivially copyable struct at `offset`, or nothing when the file is shorter.
template <class T>
std::optional<T> readStruct(const Source& source, std::uint64_t offset) {
    std::byte raw[sizeof(T)];
    const auto got = source.read(offset, raw);
    if (!got || *got != sizeof raw) return std::nullopt;
    T value;
    std::memcpy(static_cast<void*>(&value), raw, sizeof raw);
    return value;
}

std::optional<SeekFooter> readFooter(const Source& source) {
    if (source.size() < sizeof(SeekFooter)) return std::nullopt;
    auto footer = readStruct<SeekFooter>(source, source.size() - sizeof(SeekFooter));
    if (!footer || footer->magic != footerMagic) return std::nullopt;
    return footer;
}

/// Appends a frame behind the last one; an error when it is too big to be read on demand.
Result<void> appendFrame(std::vector<Frame>& frames, std::uint64_t compressedSize,
                         std::uint64_t contentSize, const std::string& where) {
    if (contentSize > maxContentPerFrame || compressedSize > UINT32_MAX) {
        return fail(Errc::unsupported,
                    "compressed in pieces of " + humanBytes(contentSize) +
                        ", too big to be read on demand: decompress it with `zstd -d` first",
                    where);
    }
    Frame frame;
    if (!frames.empty()) {
        const Frame& last = frames.back();
        frame.offset = last.offset + last.compressedSize;
        frame.content = last.content + last.contentSize;
    }
    frame.compressedSize = static_cast<std::uint32_t>(compressedSize);
    frame.contentSize = static_cast<std::uint32_t>(contentSize);
    frames.push_back(frame);
    return {};
}

Result<std::vector<Frame>> readSeekTable(const Source& file, const SeekFooter& footer) {
    const std::uint64_t entrySize =
        sizeof(SeekEntry) + ((footer.descriptor & hasChecksums) ? 4 : 0);
    const std::uint64_t count = footer.frameCount;
    const std::uint64_t body = count * entrySize + sizeof(SeekFooter);
    const std::uint64_t whole = body + sizeof(SkippableHeader);
    const std::string where = file.where(file.size() - sizeof(SeekFooter));
    if ((footer.descriptor & reservedBits) != 0)
        return fail(Errc::unsupported, "seek table of an unknown version", where);
    if (count > maxFrames || whole > file.size())
        return fail(Errc::malformed, "seek table counts more frames than the file can hold", where);
    const std::uint64_t begin = file.size() - whole;
    const auto header = readStruct<SkippableHeader>(file, begin);
    if (!header || header->magic != seekTableMagic || header->size != body)
        return fail(Errc::malformed, "seek table does not begin where its count says", where);

    ASSIGN_OR_RETURN(const SharedBytes table,
                     file.load(begin + sizeof(SkippableHeader), count * entrySize));
    std::vector<Frame> frames;
    frames.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
        SeekEntry entry;
        std::memcpy(static_cast<void*>(&entry), table.span().data() + i * entrySize, sizeof entry);
        TRY(appendFrame(frames, entry.compressedSize, entry.contentSize, where));
    }
    const std::uint64_t end =
        frames.empty() ? 0 : frames.back().offset + frames.back().compressedSize;
    if (end != begin)
        return fail(Errc::malformed, "frames do not end where the seek table begins", where);
    return frames;
}

/// Finds the frames without a table: every whole frame from the start.
Result<std::vector<Frame>> findFrames(const Source& file) {
    const auto bytes = file.mapped();
    std::vector<Frame> frames;
    std::uint64_t offset = 0;
    while (offset < bytes.size()) {
        const auto rest = bytes.subspan(static_cast<std::size_t>(offset));
        const std::size_t size = ZSTD_findFrameCompressedSize(rest.data(), rest.size());
        if (ZSTD_isError(size) != 0 || size == 0) break;  // cut off, or something else follows
        const auto magic = loadInteger<std::uint32_t>(rest.data());  // a whole frame has one
        if ((magic & skippableMask) == skippableMagic) {
            TRY(appendFrame(frames, size, 0, file.where(offset)));
        } else {
            const unsigned long long content = ZSTD_getFrameContentSize(rest.data(), rest.size());
            if (content == ZSTD_CONTENTSIZE_UNKNOWN || content == ZSTD_CONTENTSIZE_ERROR) {
                return fail(Errc::unsupported,
                            "compressed without a size: decompress it with `zstd -d` first",
                            file.where(offset));
            }
            TRY(appendFrame(frames, size, content, file.where(offset)));
        }
        offset += size;
    }
    if (frames.empty())
        return fail(Errc::truncated, "the first compressed block is not whole", file.where(0));
    return frames;
}

class ZstdSource final : public Source {
public:
    ZstdSource(std::shared_ptr<const Source> file, std::vector<Frame> frames)
        : file_(std::move(file)), frames_(std::move(frames)) {
        if (!frames_.empty()) size_ = frames_.back().content + frames_.back().contentSize;
    }

    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return size_; }

    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size() && offset < size_ - done) {
            const std::uint64_t at = offset + done;
            // The last frame that starts at or before `at`; empty frames hold nothing.
            auto next = std::upper_bound(
                frames_.begin(), frames_.end(), at,
                [](std::uint64_t value, const Frame& frame) { return value < frame.content; });
            const auto index = static_cast<std::size_t>(next - frames_.begin()) - 1;
            ASSIGN_OR_RETURN(const auto content, frame(index));
            const auto inside = static_cast<std::size_t>(at - frames_[index].content);
            const std::size_t count = std::min(out.size() - done, content->size() - inside);
            std::memcpy(out.data() + done, content->data() + inside, count);
            done += count;
        }
        return done;
    }

private:
    using Content = std::shared_ptr<const std::vector<std::byte>>;
    struct Kept {
        std::size_t index;
        Content content;
    };

    [[nodiscard]] Result<Content> frame(std::size_t index) const {
        {
            const std::lock_guard lock(mutex_);
            const auto found = std::ranges::find(kept_, index, &Kept::index);
            if (found != kept_.end()) {
                kept_.splice(kept_.begin(), kept_, found);
                return kept_.front().content;
            }
        }
        // Outside the lock: threads decompress different frames at the same time. Two that want
        // the same one do it twice, which is rare and harmless.
        ASSIGN_OR_RETURN(Content content, decompress(frames_[index]));
        const std::lock_guard lock(mutex_);
        kept_.push_front({index, content});
        keptBytes_ += content->size();
        while (keptBytes_ > cacheBytes && kept_.size() > 2) {
            keptBytes_ -= kept_.back().content->size();
            kept_.pop_back();
        }
        return content;
    }

    [[nodiscard]] Result<Content> decompress(const Frame& frame) const {
        ASSIGN_OR_RETURN(const SharedBytes packed, file_->load(frame.offset, frame.compressedSize));
        // The frame's own header must agree before its size is allocated.
        const unsigned long long said =
            ZSTD_getFrameContentSize(packed.span().data(), packed.size());
        if (said != ZSTD_CONTENTSIZE_UNKNOWN && said != frame.contentSize) {
            return fail(Errc::malformed, "compressed block contradicts the seek table",
                        file_->where(frame.offset));
        }
        std::vector<std::byte> content(frame.contentSize);
        const std::size_t got =
            ZSTD_decompress(content.data(), content.size(), packed.span().data(), packed.size());
        if (ZSTD_isError(got) != 0) {
            return fail(Errc::malformed,
                        std::string("damaged compressed block: ") + ZSTD_getErrorName(got),
                        file_->where(frame.offset));
        }
        if (got != content.size()) {
            return fail(Errc::malformed, "compressed block contradicts the seek table",
                        file_->where(frame.offset));
        }
        return std::make_shared<const std::vector<std::byte>>(std::move(content));
    }

    std::shared_ptr<const Source> file_;
    std::vector<Frame> frames_;
    std::uint64_t size_ = 0;
    mutable std::mutex mutex_;
    mutable std::list<Kept> kept_;  ///< most recently used first
    mutable std::uint64_t keptBytes_ = 0;
};

}  // namespace

bool isZstd(const Source& source) {
    const auto magic = readStruct<Le32>(source, 0);
    return magic && *magic == frameMagic;
}

bool isSeekableZstd(const Source& source) {
    return isZstd(source) && readFooter(source);
}

Result<std::shared_ptr<const Source>> openSeekableZstd(std::shared_ptr<const Source> file) {
    std::vector<Frame> frames;
    if (const auto footer = readFooter(*file)) {
        ASSIGN_OR_RETURN(frames, readSeekTable(*file, *footer));
    } else {
        ASSIGN_OR_RETURN(frames, findFrames(*file));
    }
    return std::make_shared<ZstdSource>(std::move(file), std::move(frames));
}

}  // namespace icecore
