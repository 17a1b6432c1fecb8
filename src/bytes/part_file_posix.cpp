#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/range.h"
#include "base/text.h"
#include "bytes/background_writer_posix.h"
#include "bytes/buffer_pool.h"
#include "bytes/descriptor_posix.h"
#include "bytes/direct_io_posix.h"
#include "bytes/new_file_posix.h"
#include "bytes/part_file.h"
#include "bytes/read_at_posix.h"

namespace icecore {

namespace {

using direct_io::alignment;

/// One is filled, one written, one seen by the witness, and one lies ready.
constexpr std::size_t bufferCount = 4;

/// Shorter runs of zeros do not end a buffer.
constexpr std::uint64_t worthAnEnd = std::uint64_t{64} << 10;
/// Patched bytes that may lie in the page cache.
constexpr std::uint64_t mostCached = std::uint64_t{256} << 10;

class DirectFile final : public PartFile {
public:
    struct Parts {
        Descriptor direct, plain;  ///< the same file twice
        std::filesystem::path part, path;
        bool device = false, overwrite = false, isDirect = false;
        bool passing = false;  ///< goes with us when it is not finished
        std::uint64_t keep = 0, room = UINT64_MAX;
        std::size_t bufferSize = 0;
    };
    explicit DirectFile(Parts parts)
        : parts_(std::move(parts)),
          name_(parts_.path.string()),
          pool_(bufferCount, parts_.bufferSize),
          background_(parts_.plain.get(), parts_.direct.get(), parts_.isDirect, name_) {}
    ~DirectFile() override {
        if (parts_.passing) ::unlink(parts_.part.c_str());
    }

    Result<void> start() {
        if (!pool_.makeAll()) return fail(Errc::limit, "out of memory", name_);
        background_.start(parts_.bufferSize);
        at_ = alignDown(parts_.keep, alignment);
        used_ = static_cast<std::size_t>(parts_.keep - at_);
        if (used_ == 0) return {};
        TRY(needBuffer());
        return readBack(at_, {buffer_.get(), used_});
    }

    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        if (bytes.size() > parts_.room - std::min(parts_.room, position_))
            return fail(Errc::io, "the device is full", name_);
        if (position_ < parts_.keep) {
            const auto known = static_cast<std::size_t>(
                std::min<std::uint64_t>(bytes.size(), parts_.keep - position_));
            TRY(compare(bytes.first(known)));
            if (witness_ != nullptr) witness_->seeBytes(nullptr, bytes.first(known));
            position_ += known;
            shown_ = position_;
            bytes = bytes.subspan(known);
        }
        while (!bytes.empty()) {
            TRY(needBuffer());
            const std::size_t count = std::min(bytes.size(), parts_.bufferSize - used_);
            std::memcpy(buffer_.get() + used_, bytes.data(), count);
            took(count);
            bytes = bytes.subspan(count);
        }
        return {};
    }

    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        static constexpr std::array<std::byte, 65536> block{};
        while (count > 0 && position_ < parts_.keep) {
            const auto piece = static_cast<std::size_t>(
                std::min({count, std::uint64_t{block.size()}, parts_.keep - position_}));
            TRY(write(std::span(block).first(piece)));
            count -= piece;
        }
        if (count > parts_.room - std::min(parts_.room, position_))
            return fail(Errc::io, "the device is full", name_);
        if (parts_.device || count < worthAnEnd) return fill(count);
        const std::uint64_t head = alignUp(position_, alignment) - position_;
        TRY(fill(head));
        count -= head;
        handOver();
        const std::uint64_t hole = alignDown(count, alignment);
        position_ += hole;
        at_ = position_;
        if (witness_ != nullptr && hole > 0) witness_->seeZeros(hole);
        shown_ = position_;
        return fill(count - hole);
    }

    [[nodiscard]] Result<void> reserve(std::uint64_t count) override {
        const std::uint64_t there = std::min(count, parts_.keep - std::min(parts_.keep, position_));
        position_ += there;
        shown_ = std::max(shown_, position_);
        return zeros(count - there);
    }

    [[nodiscard]] bool canPatch() const override { return true; }
    [[nodiscard]] Result<void> patch(std::uint64_t offset,
                                     std::span<const std::byte> bytes) override {
        const auto end = checkedAdd(offset, bytes.size());
        if (!end || *end > position_) return fail(Errc::internal, "patch beyond what was written");
        if (*end > at_ && used_ > 0) {  // the part that has not been handed over
            const std::uint64_t from = std::max(offset, at_);
            const auto tail = bytes.subspan(static_cast<std::size_t>(from - offset));
            std::memcpy(buffer_.get() + (from - at_), tail.data(), tail.size());
            zeros_.clear();
            bytes = bytes.first(static_cast<std::size_t>(from - offset));
        }
        // What is on its way lies behind: only what may be part of it has to arrive before.
        const std::uint64_t underWay = std::uint64_t{bufferCount} * parts_.bufferSize;
        if (*end > at_ - std::min(at_, underWay)) TRY(background_.drain());
        TRY(writePlain(offset, bytes));
        patched_ += bytes.size();
        if (patched_ >= mostCached) dropCached();
        return {};
    }

    [[nodiscard]] Result<void> flush() override {
        // The buffer's beginning goes to the disk now, and once more when it is full.
        if (used_ > 0) {
            std::vector<std::byte> copy(buffer_.get(), buffer_.get() + used_);
            TRY(background_.drain());
            TRY(writePlain(at_, copy));
        }
        TRY(background_.drain());
        if (!parts_.device && ::ftruncate(parts_.plain.get(), static_cast<off_t>(position_)) != 0)
            return failErrno(errno, "cannot set the length", name_);
        if (::fdatasync(parts_.plain.get()) != 0) return failErrno(errno, "cannot flush", name_);
        dropCached();
        return {};
    }

    [[nodiscard]] Result<void> finish() override {
        show(buffer_);
        TRY(flush());
        if (::fsync(parts_.plain.get()) != 0) return failErrno(errno, "cannot flush", name_);
        if (parts_.device) return {};
        TRY(giveName(parts_.part, parts_.path, parts_.overwrite));
        parts_.passing = false;
        return {};
    }
    [[nodiscard]] bool direct() const override { return parts_.isDirect; }
    void showTo(FileWitness* witness) override { witness_ = witness; }

private:
    Result<void> needBuffer() {
        if (buffer_) return {};
        buffer_ = pool_.take();
        return background_.state();
    }
    /// `count` bytes have been put behind those in the buffer.
    void took(std::size_t count) {
        used_ += count;
        position_ += count;
        if (used_ == parts_.bufferSize) handOver();
    }
    /// Has what is in the buffer written: all of it, which ends at a multiple of the alignment.
    void handOver() {
        if (used_ == 0) return;
        const std::shared_ptr<const std::byte> buffer = std::exchange(buffer_, nullptr);
        background_.give(buffer, at_, used_, std::exchange(zeros_, {}));
        show(buffer);
        at_ += used_;
        used_ = 0;
    }
    /// What is used of the buffer and has not been shown yet: the first may begin with what was
    /// there already.
    void show(const std::shared_ptr<const std::byte>& buffer) {
        const auto from = static_cast<std::size_t>(std::max(shown_, at_) - at_);
        if (witness_ == nullptr || used_ <= from) return;
        witness_->seeBytes(buffer, {buffer.get() + from, used_ - from});
        shown_ = at_ + used_;
    }
    /// Puts zeros into buffers, which know of them.
    Result<void> fill(std::uint64_t count) {
        while (count > 0) {
            TRY(needBuffer());
            const auto piece =
                static_cast<std::size_t>(std::min<std::uint64_t>(count, parts_.bufferSize - used_));
            std::memset(buffer_.get() + used_, 0, piece);
            if (!parts_.device) {
                if (zeros_.empty() || zeros_.back().end() != position_)
                    zeros_.push_back(Range::ofSize(position_, 0));
                zeros_.back() = Range::between(zeros_.back().begin(), position_ + piece);
            }
            took(piece);
            count -= piece;
        }
        return {};
    }

    Result<void> readBack(std::uint64_t offset, std::span<std::byte> out) const {
        return readAllAt(parts_.plain.get(), offset, out, name_);
    }
    Result<void> compare(std::span<const std::byte> bytes) {
        std::uint64_t offset = position_;
        while (!bytes.empty()) {
            known_.resize(std::min<std::size_t>(bytes.size(), std::size_t{1} << 20));
            TRY(readBack(offset, known_));
            if (std::memcmp(known_.data(), bytes.data(), known_.size()) != 0)
                return fail(Errc::mismatch, "what is there already is not what would be written",
                            parts_.part.string() + " at " + hex(offset));
            offset += known_.size();
            bytes = bytes.subspan(known_.size());
        }
        return {};
    }
    /// What is patched goes through the page cache, which is to keep none of it.
    void dropCached() {
        patched_ = 0;
        if (parts_.isDirect) direct_io::dropFromCache(parts_.plain.get(), Range::ofSize(0, at_));
    }
    Result<void> writePlain(std::uint64_t offset, std::span<const std::byte> bytes) const {
        while (!bytes.empty()) {
            const ssize_t got = ::pwrite(parts_.plain.get(), bytes.data(), bytes.size(),
                                         static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return failErrno(errno, "cannot write", name_);
            bytes = bytes.subspan(static_cast<std::size_t>(got));
            offset += static_cast<std::uint64_t>(got);
        }
        return {};
    }
    Parts parts_;
    std::string name_;
    BufferPool pool_;
    std::shared_ptr<std::byte> buffer_;
    std::uint64_t at_ = 0;  ///< where the buffer's first byte goes
    std::size_t used_ = 0;
    FileWitness* witness_ = nullptr;
    std::uint64_t shown_ = 0;    ///< to the witness
    std::vector<Range> zeros_;   ///< of the file, in what is used of the buffer
    std::uint64_t patched_ = 0;  ///< since the cache was emptied
    std::vector<std::byte> known_;
    BackgroundWriter background_;
};

Result<void> openAgain(const std::string& file, int flags, bool direct, DirectFile::Parts& parts) {
    if (direct && direct_io::flag != 0)
        parts.direct =
            Descriptor(::open(file.c_str(), O_RDWR | O_CLOEXEC | flags | direct_io::flag));
    parts.isDirect = parts.direct.valid();
    if (!parts.isDirect)
        parts.direct = Descriptor(::open(file.c_str(), O_RDWR | O_CLOEXEC | flags));
    if (!parts.direct.valid()) return failErrno(errno, "cannot open", file);
    return {};
}

/// Opens twice, with O_DIRECT the second time where that is wanted and possible.
Result<void> openBoth(const std::string& file, int flags, bool direct, DirectFile::Parts& parts) {
    parts.plain = Descriptor(::open(file.c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
    if (!parts.plain.valid()) return failErrno(errno, "cannot create", file);
    const int again = flags & ~(O_CREAT | O_EXCL | O_TRUNC);
    return openAgain(file, again, direct, parts);
}

Result<void> openDevice(const PartFileOptions& options, DirectFile::Parts& parts) {
    const std::string name = parts.path.string();
    if (!options.overwrite)
        return fail(Errc::exists, "is a device, whose content would be lost", name);
    parts.device = true;
    TRY(openBoth(name, O_EXCL, options.direct, parts));  // O_EXCL: not one that is mounted
    const off_t end = ::lseek(parts.plain.get(), 0, SEEK_END);
    if (end > 0) parts.room = static_cast<std::uint64_t>(end);
    return {};
}

Result<void> openPart(const PartFileOptions& options, bool there, DirectFile::Parts& parts) {
    if (there && !options.overwrite)
        return fail(Errc::exists, "already exists", parts.path.string());
    if (!options.resumable) {
        ASSIGN_OR_RETURN(TemporaryFile temporary, createTemporary(parts.path));
        parts.plain = std::move(temporary.file);
        parts.part = std::move(temporary.path);
        parts.passing = true;
        return openAgain(parts.part.string(), O_NOFOLLOW, options.direct, parts);
    }
    const std::string part = parts.part.string();
    struct stat status{};
    const bool begun = ::lstat(part.c_str(), &status) == 0;
    if (options.keep > 0) {
        if (!begun || !S_ISREG(status.st_mode))
            return fail(Errc::not_found, "there is nothing to continue", part);
        TRY(openBoth(part, O_NOFOLLOW, options.direct, parts));
        if (static_cast<std::uint64_t>(status.st_size) < options.keep)
            return fail(Errc::truncated, "is shorter than it is said to be", part);
        if (::ftruncate(parts.plain.get(), static_cast<off_t>(options.keep)) != 0)
            return failErrno(errno, "cannot set the length", part);
        parts.keep = options.keep;
        return {};
    }
    if (begun && !options.overwrite) return fail(Errc::exists, "already exists", part);
    if (begun) ::unlink(part.c_str());
    return openBoth(part, O_CREAT | O_EXCL | O_NOFOLLOW, options.direct, parts);
}

}  // namespace

std::filesystem::path partPath(const std::filesystem::path& path) {
    std::filesystem::path part = path;
    part += ".part";
    return part;
}

Result<std::unique_ptr<PartFile>> createPartFile(const std::filesystem::path& path,
                                                 const PartFileOptions& options) {
    DirectFile::Parts parts;
    parts.path = path;
    parts.part = partPath(path);
    parts.overwrite = options.overwrite;
    parts.bufferSize = static_cast<std::size_t>(
        alignUp(std::max<std::uint64_t>(options.bufferSize, alignment), alignment));
    struct stat status{};
    bool there = ::stat(path.c_str(), &status) == 0;
    if (there && S_ISBLK(status.st_mode)) {
        TRY(openDevice(options, parts));
    } else {
        there = ::lstat(path.c_str(), &status) == 0;
        if (there) TRY(canBeReplaced(path, status));
        TRY(openPart(options, there, parts));
    }
    auto file = std::make_unique<DirectFile>(std::move(parts));
    TRY(file->start());
    return file;
}

}  // namespace icecore
