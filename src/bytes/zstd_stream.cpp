// zstd's frames, unpacked front to back.
#include <zstd.h>

#include <algorithm>
#include <array>

#include "bytes/forward_source.h"
#include "bytes/zstd_frames.h"

namespace icecore {

namespace {

constexpr std::size_t inputSize = std::size_t{128} << 10;
constexpr std::uint64_t mostContent = std::uint64_t{1} << 60;

struct StreamDeleter {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

class Decoder final : public ForwardDecoder {
public:
    static Result<std::unique_ptr<Decoder>> create(std::shared_ptr<const Source> file,
                                                   Range range) {
        auto decoder = std::unique_ptr<Decoder>(new Decoder(std::move(file), range));
        if (!decoder->stream_) return fail(Errc::limit, "out of memory");
        return decoder;
    }
    [[nodiscard]] std::uint64_t memory() const override {
        return sizeof(Decoder) + ZSTD_sizeof_DStream(stream_.get());
    }
    [[nodiscard]] Result<std::size_t> decode(std::span<std::byte> out) override {
        ZSTD_outBuffer into{out.data(), out.size(), 0};
        while (into.pos < into.size) {
            if (from_.pos == from_.size) TRY(fill());
            const bool ended = from_.size == 0;
            if (ended && !inFrame_) break;
            const std::size_t before = into.pos;
            const std::size_t outcome = ZSTD_decompressStream(stream_.get(), &into, &from_);
            if (ZSTD_isError(outcome) != 0) {
                if (into.pos > 0) break;  // it fails again when asked for more
                return fail(Errc::malformed,
                            std::string("damaged zstd: ") + ZSTD_getErrorName(outcome),
                            file_->where(next_));
            }
            inFrame_ = outcome != 0;
            if (!ended || into.pos > before) continue;
            if (into.pos == 0)
                return fail(Errc::truncated, "the compressed stream is cut off",
                            file_->where(next_));
            break;
        }
        return into.pos;
    }

private:
    Decoder(std::shared_ptr<const Source> file, Range range)
        : file_(std::move(file)),
          next_(range.begin()),
          end_(range.end()),
          stream_(ZSTD_createDStream()) {}
    Result<void> fill() {
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(input_.size(), end_ - next_));
        ASSIGN_OR_RETURN(const std::size_t got, file_->read(next_, std::span(input_).first(want)));
        next_ += got;
        from_ = {input_.data(), got, 0};
        return {};
    }

    std::shared_ptr<const Source> file_;
    std::uint64_t next_, end_;
    std::unique_ptr<ZSTD_DStream, StreamDeleter> stream_;
    bool inFrame_ = false;
    ZSTD_inBuffer from_{};
    std::array<std::byte, inputSize> input_{};
};

struct Frame {
    std::uint64_t file = 0, content = 0;
};

class ZstdFrames final : public ForwardSource {
public:
    explicit ZstdFrames(std::shared_ptr<const Source> file) : ForwardSource(std::move(file)) {}

    Result<void> add(const ZstdFrame& frame) {
        if (frame.skippable) return {};
        std::optional<Error> damage;
        std::uint64_t content = 0;
        if (frame.content) {
            content = *frame.content;
        } else {
            ASSIGN_OR_RETURN(const auto decoder,
                             Decoder::create(file(), Range::ofSize(frame.file, frame.size)));
            content = measure(*decoder, damage);
            if (!damage && frame.cut)
                damage = Error{Errc::truncated, "the compressed stream is cut off",
                               file()->where(frame.file), nullptr};
        }
        if (damage && frames_.empty() && content == 0) return std::unexpected(*damage);
        if (damage) found().loss(*damage);
        if (content > mostContent - size_)
            return fail(Errc::malformed, "impossible sizes", file()->where(frame.file));
        if (content == 0) return {};
        frames_.push_back({frame.file, size_});
        size_ += content;
        end_ = frame.file + frame.size;
        return {};
    }
    [[nodiscard]] std::uint64_t size() const override { return size_; }

protected:
    [[nodiscard]] std::uint64_t placeBefore(std::uint64_t offset) const override {
        return frameBefore(offset).content;
    }
    [[nodiscard]] Result<std::unique_ptr<ForwardDecoder>> beginAt(
        std::uint64_t place) const override {
        return Decoder::create(file(), Range::between(frameBefore(place).file, end_));
    }

private:
    [[nodiscard]] const Frame& frameBefore(std::uint64_t offset) const {
        return *std::prev(std::ranges::upper_bound(frames_, offset, {}, &Frame::content));
    }
    std::vector<Frame> frames_;
    std::uint64_t size_ = 0, end_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Source>> openZstdFrames(std::shared_ptr<const Source> file,
                                                     const std::vector<ZstdFrame>& frames) {
    auto source = std::make_shared<ZstdFrames>(std::move(file));
    for (const ZstdFrame& frame : frames)
        TRY(source->add(frame));
    return source;
}

}  // namespace icecore
