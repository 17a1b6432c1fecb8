#include "bytes/seekable_zstd.h"

#include <zstd.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <optional>

#include "base/range.h"
#include "base/text.h"
#include "bytes/imperfect.h"
#include "bytes/seekable_zstd_format.h"
#include "bytes/zstd_frames.h"

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

/// Appends a frame behind the last one; `unsupported` when it is too big to be unpacked as a whole.
Result<void> appendFrame(std::vector<Frame>& frames, std::uint64_t compressedSize,
                         std::uint64_t contentSize, const std::string& where) {
    if (contentSize > maxContentPerFrame || compressedSize > UINT32_MAX) {
        return fail(Errc::unsupported, "a frame of " + humanBytes(contentSize), where);
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

/// The frames of a file without a table, where all are small enough; nothing where they are not.
std::optional<std::vector<Frame>> smallFrames(const std::vector<ZstdFrame>& found) {
    std::vector<Frame> frames;
    for (const ZstdFrame& frame : found) {
        if (frame.cut) continue;  // the last one
        if (!frame.content || *frame.content > maxContentPerFrame || frame.size > UINT32_MAX)
            return std::nullopt;
        Frame small;
        small.offset = frame.file;
        small.content = frames.empty() ? 0 : frames.back().content + frames.back().contentSize;
        small.compressedSize = static_cast<std::uint32_t>(frame.size);
        small.contentSize = static_cast<std::uint32_t>(*frame.content);
        frames.push_back(small);
    }
    if (frames.empty()) return std::nullopt;
    return frames;
}

class ZstdSource final : public Source, public ImperfectSource {
public:
    ZstdSource(std::shared_ptr<const Source> file, std::vector<Frame> frames, Issues issues)
        : file_(std::move(file)), frames_(std::move(frames)), issues_(std::move(issues)) {
        if (!frames_.empty()) size_ = frames_.back().content + frames_.back().contentSize;
    }

    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] Issues issues() const override { return issues_; }

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
    Issues issues_;
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
    Issues issues = issuesOf(*file);
    if (const auto footer = readFooter(*file)) {
        auto frames = readSeekTable(*file, *footer);
        if (frames)
            return std::make_shared<ZstdSource>(std::move(file), *std::move(frames), issues);
        if (frames.error().code != Errc::unsupported) return std::unexpected(frames.error());
    }
    ASSIGN_OR_RETURN(const std::vector<ZstdFrame> found, walkZstdFrames(*file));
    if (found.empty())
        return fail(Errc::truncated, "the first compressed block is not whole", file->where(0));
    auto frames = smallFrames(found);
    if (!frames) return openZstdFrames(std::move(file), found);
    if (found.back().cut)
        issues.loss("the compressed file is cut off", file->where(found.back().file));
    return std::make_shared<ZstdSource>(std::move(file), *std::move(frames), std::move(issues));
}

}  // namespace icecore
