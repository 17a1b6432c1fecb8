// Starting within a stream is as zlib's author shows it (zlib, examples/zran.c): the bits left of
// the last byte, and the window of 32 KiB before.
#include "bytes/inflater.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <string>

#include "bytes/codec.h"

namespace icecore {

namespace {

constexpr std::size_t inputSize = std::size_t{64} << 10;
constexpr std::size_t windowSize = 32768;
constexpr int windowBits = 15, gzipBits = windowBits + 16;
constexpr std::uint64_t gzipTrailer = 8, zlibTrailer = 4;
// zlib's inflate(), data_type after Z_BLOCK.
constexpr int blockEnded = 128, lastBlock = 64, unusedBits = 7;

Bytef* bytesOf(std::byte* bytes) {
    return reinterpret_cast<Bytef*>(bytes);
}

}  // namespace

struct Inflater::State {
    std::shared_ptr<const Source> file;
    DeflateWrapping wrapping = DeflateWrapping::gzip;
    z_stream stream{};
    bool open = false;      ///< inflateInit2 has succeeded
    bool raw = false;       ///< began within a stream: zlib does not see the wrapping
    bool finished = false;  ///< no member follows
    bool atHeader = true;
    std::uint64_t next = 0;  ///< offset of the first byte that is not in `input`
    std::array<std::byte, inputSize> input{};

    ~State() {
        if (open) inflateEnd(&stream);
    }
    [[nodiscard]] std::uint64_t position() const { return next - stream.avail_in; }

    /// Fewer than asked for only at the file's end.
    Result<void> fill() {
        if (stream.avail_in > 0) return {};
        ASSIGN_OR_RETURN(const std::size_t got, file->read(next, input));
        next += got;
        stream.next_in = bytesOf(input.data());
        stream.avail_in = static_cast<uInt>(got);
        return {};
    }
    void moveTo(std::uint64_t offset) {
        next = offset;
        stream.avail_in = 0;
    }

    /// Behind a member: another one, or the end.
    Result<void> nextMember() {
        const bool gzip = wrapping == DeflateWrapping::gzip;
        if (raw) moveTo(position() + (gzip ? gzipTrailer : zlibTrailer));
        std::array<std::byte, 2> magic{};
        ASSIGN_OR_RETURN(const std::size_t got, file->read(position(), magic));
        finished = !gzip || got < magic.size() || magic[0] != std::byte{0x1f} ||
                   magic[1] != std::byte{0x8b};
        if (finished) return {};
        raw = false;
        atHeader = true;
        if (inflateReset2(&stream, gzipBits) != Z_OK)
            return fail(Errc::internal, "cannot begin to decompress");
        return {};
    }
};

Inflater::Inflater(std::unique_ptr<State> state) : state_(std::move(state)) {}
Inflater::~Inflater() = default;

Result<std::unique_ptr<Inflater>> Inflater::create(std::shared_ptr<const Source> file,
                                                   DeflateWrapping wrapping,
                                                   const DeflatePoint& point) {
    auto state = std::make_unique<State>();
    state->file = std::move(file);
    state->wrapping = wrapping;
    state->raw = !point.header;
    state->atHeader = point.header;
    const int bits = state->raw                          ? -windowBits
                     : wrapping == DeflateWrapping::gzip ? gzipBits
                                                         : windowBits;
    if (inflateInit2(&state->stream, bits) != Z_OK)
        return fail(Errc::limit, "out of memory", state->file->name());
    state->open = true;
    state->moveTo(point.file);
    if (state->raw) {
        if (point.bits > 0) {
            std::array<std::byte, 1> last{};
            ASSIGN_OR_RETURN(const std::size_t got, state->file->read(point.file - 1, last));
            if (got == 0) return fail(Errc::truncated, "the file became shorter");
            inflatePrime(&state->stream, point.bits,
                         std::to_integer<int>(last[0]) >> (8 - point.bits));
        }
        std::vector<std::byte> window(point.window);
        ASSIGN_OR_RETURN(const std::size_t size,
                         unpackBlock(Codec::lz4, point.packedWindow, window));
        if (size != window.size() || inflateSetDictionary(&state->stream, bytesOf(window.data()),
                                                          static_cast<uInt>(window.size())) != Z_OK)
            return fail(Errc::internal, "cannot begin within the stream");
    }
    return std::unique_ptr<Inflater>(new Inflater(std::move(state)));
}

std::uint64_t Inflater::memory() const {
    return sizeof(State) + 2 * windowSize;  // zlib's own state and window
}

std::uint64_t Inflater::position() const {
    return state_->position();
}

bool Inflater::finished() const {
    return state_->finished;
}

Result<std::size_t> Inflater::decode(std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size() && !state_->finished) {
        const auto got = run(out.subspan(done), Z_NO_FLUSH);
        if (!got && done > 0) return done;  // it fails again when asked for more
        if (!got) return got;
        done += *got;
    }
    return done;
}

Result<std::size_t> Inflater::decodeBlock(std::span<std::byte> out) {
    if (state_->finished) return std::size_t{0};
    return run(out, Z_BLOCK);
}

bool Inflater::atPoint() const {
    if (state_->atHeader) return true;
    const int type = state_->stream.data_type;
    return (type & blockEnded) != 0 && (type & lastBlock) == 0;
}

DeflatePoint Inflater::point() const {
    DeflatePoint point;
    point.file = position();
    point.header = state_->atHeader;
    if (point.header) return point;
    point.bits = static_cast<std::uint8_t>(state_->stream.data_type & unusedBits);
    std::array<std::byte, windowSize> window{};
    uInt size = windowSize;
    inflateGetDictionary(&state_->stream, bytesOf(window.data()), &size);
    point.window = static_cast<std::uint16_t>(size);
    BlockPacker packer(Codec::lz4);
    point.packedWindow.resize(packer.bound(size));
    const auto packed = packer.pack(std::span(window).first(size), point.packedWindow);
    point.packedWindow.resize(packed.value_or(0));
    point.packedWindow.shrink_to_fit();
    return point;
}

/// Goes on until `out` is full, a member ends, or (with Z_BLOCK) a block does.
Result<std::size_t> Inflater::run(std::span<std::byte> out, int flush) {
    State& state = *state_;
    z_stream& stream = state.stream;
    const std::size_t size = std::min<std::size_t>(out.size(), std::numeric_limits<uInt>::max());
    stream.next_out = bytesOf(out.data());
    stream.avail_out = static_cast<uInt>(size);
    const auto given = [&] { return size - stream.avail_out; };
    while (stream.avail_out > 0) {
        TRY(state.fill());
        const bool ended = stream.avail_in == 0;
        const int outcome = inflate(&stream, flush);
        state.atHeader = false;
        if (outcome == Z_STREAM_END) {
            TRY(state.nextMember());
            return given();
        }
        // With bits left over zlib may get on without taking or giving a byte, and says so.
        if (outcome == Z_OK || (outcome == Z_BUF_ERROR && !ended)) {
            if (flush == Z_BLOCK && atPoint()) return given();
            continue;
        }
        if (given() > 0) return given();  // it fails again when asked for more
        if (ended)
            return fail(Errc::truncated, "the compressed stream is cut off",
                        state.file->where(state.position()));
        if (outcome == Z_MEM_ERROR) return fail(Errc::limit, "out of memory", state.file->name());
        return fail(Errc::malformed,
                    std::string("the compressed stream is damaged: ") +
                        (stream.msg != nullptr ? stream.msg : "not DEFLATE"),
                    state.file->where(state.position()));
    }
    return given();
}

}  // namespace icecore
