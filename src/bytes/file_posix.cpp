// Files on POSIX systems: mapping for reading, atomic creation for writing. A Windows twin
// (file_windows.cpp) implements the same functions of source.h and sink.h.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/range.h"
#include "base/text.h"
#include "bytes/descriptor_posix.h"
#include "bytes/direct_io_posix.h"
#include "bytes/folder.h"
#include "bytes/new_file_posix.h"
#include "bytes/packed_source.h"
#include "bytes/read_at_posix.h"
#include "bytes/sink.h"
#include "bytes/source.h"
#include "bytes/sparse.h"
#include "bytes/split_source.h"

namespace icecore {

namespace {

class MappedSource final : public Source, public SparseSource {
public:
    MappedSource(std::string name, Descriptor file, std::shared_ptr<const std::byte> mapping,
                 std::uint64_t size)
        : name_(std::move(name)),
          file_(std::move(file)),
          mapping_(std::move(mapping)),
          size_(size) {}

    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] std::uint64_t size() const override { return size_; }

    // pread, not memcpy from the mapping: a file that another process cuts while we read gives an
    // error here instead of SIGBUS. Only parsers of small metadata use the mapping.
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
        if (offset >= size_) return std::size_t{0};
        const auto [bytes, error] = readAt(
            file_.get(), offset, out.first(std::min<std::uint64_t>(out.size(), size_ - offset)));
        if (error != 0) return failErrno(error, "cannot read", where(offset + bytes));
        return bytes;
    }
    [[nodiscard]] std::span<const std::byte> mapped() const override {
        return {mapping_.get(), mapping_ ? static_cast<std::size_t>(size_) : 0};
    }
    [[nodiscard]] std::vector<Range> dataRanges() const override {
        // Beyond this many holes the rest counts as data: they would not pay for their list. Nor
        // do short ones, around which a cold disk would be read page by page.
        constexpr std::size_t maxParts = 100'000;
        constexpr std::uint64_t shortHole = std::uint64_t{64} << 10;
        std::vector<Range> ranges;
        std::uint64_t at = 0;
        for (std::size_t parts = 0; at < size_; ++parts) {
            const off_t data = ::lseek(file_.get(), static_cast<off_t>(at), SEEK_DATA);
            if (data < 0 && errno == ENXIO) return ranges;  // only a hole is left
            const off_t hole = data < 0 || parts == maxParts
                                   ? static_cast<off_t>(size_)
                                   : ::lseek(file_.get(), data, SEEK_HOLE);
            const auto from = data < 0 ? at : static_cast<std::uint64_t>(data);
            const auto to = hole < 0 ? size_ : std::min(size_, static_cast<std::uint64_t>(hole));
            if (to <= from) break;
            if (!ranges.empty() && from - ranges.back().end() < shortHole)
                ranges.back() = Range::between(ranges.back().begin(), to);
            else
                ranges.push_back(Range::between(from, to));
            at = to;
        }
        return ranges;
    }

protected:
    [[nodiscard]] std::shared_ptr<const void> owner() const override { return mapping_; }

private:
    std::string name_;
    Descriptor file_;
    std::shared_ptr<const std::byte> mapping_;
    std::uint64_t size_;
};

Result<void> writeAll(int descriptor, std::span<const std::byte> bytes, const std::string& name) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failErrno(errno, "cannot write", name);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> patchAll(int descriptor, std::uint64_t offset, std::span<const std::byte> bytes,
                      const std::string& name) {
    while (!bytes.empty()) {
        const ssize_t count =
            ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failErrno(errno, "cannot write", name);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
    return {};
}

class DescriptorSink : public Sink {
public:
    DescriptorSink(int descriptor, std::string name)
        : descriptor_(descriptor), name_(std::move(name)) {
        struct stat status{};
        const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
        const int flags = ::fcntl(descriptor, F_GETFL);
        // `>>` appends: a hole made by seeking would be lost there, and offsets are not ours.
        seekable_ = regular && (flags & O_APPEND) == 0;
        if (seekable_) start_ = ::lseek(descriptor, 0, SEEK_CUR);
        if (start_ < 0) seekable_ = false;
    }

    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        TRY(writeAll(descriptor_, bytes, name_));
        position_ += bytes.size();
        written_ += bytes.size();
        if (written_ >= writeBehind) startWriting();
        return {};
    }

    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        if (count == 0) return {};
        if (seekable_) {
            if (::lseek(descriptor_, static_cast<off_t>(count), SEEK_CUR) < 0)
                return failErrno(errno, "cannot seek", name_);
            position_ += count;
            return {};
        }
        static constexpr std::array<std::byte, 65536> block{};
        while (count > 0) {
            const std::size_t piece =
                static_cast<std::size_t>(std::min<std::uint64_t>(count, block.size()));
            TRY(write(std::span(block).first(piece)));
            count -= piece;
        }
        return {};
    }

    [[nodiscard]] bool canPatch() const override { return seekable_; }

    [[nodiscard]] Result<void> patch(std::uint64_t offset,
                                     std::span<const std::byte> bytes) override {
        if (!seekable_) return Sink::patch(offset, bytes);
        return patchAll(descriptor_, static_cast<std::uint64_t>(start_) + offset, bytes, name_);
    }

    [[nodiscard]] Result<void> finish() override {
        // A file that ends in a hole has not got its length yet.
        if (seekable_ && ::ftruncate(descriptor_, start_ + static_cast<off_t>(position_)) != 0)
            return failErrno(errno, "cannot set the length", name_);
        return {};
    }

    [[nodiscard]] int descriptor() const override { return seekable_ ? descriptor_ : -1; }

protected:
    int descriptor_;
    std::string name_;

private:
    /// Has the disk begin with what has gathered. Left alone, the kernel keeps gigabytes in memory
    /// until the end asks for all of them, and the disk idles meanwhile.
    void startWriting() {
        written_ = 0;
        if (!seekable_) return;
        // A hint: what it cannot do, the end does.
        direct_io::beginWriting(descriptor_,
                                Range::ofSize(static_cast<std::uint64_t>(start_ + begun_),
                                              position_ - static_cast<std::uint64_t>(begun_)));
        begun_ = static_cast<off_t>(position_);
    }

    static constexpr std::uint64_t writeBehind = std::uint64_t{16} << 20;
    bool seekable_ = false;
    off_t start_ = 0;
    off_t begun_ = 0;            ///< up to here the disk was told
    std::uint64_t written_ = 0;  ///< bytes since then, holes not counted
};

class FileSink final : public DescriptorSink {
public:
    FileSink(TemporaryFile temporary, std::filesystem::path path, bool overwrite)
        : DescriptorSink(temporary.file.get(), path.string()),
          file_(std::move(temporary.file)),
          temporary_(std::move(temporary.path)),
          path_(std::move(path)),
          overwrite_(overwrite) {}

    ~FileSink() override {
        if (!finished_) ::unlink(temporary_.c_str());
    }

    [[nodiscard]] Result<void> finish() override {
        TRY(DescriptorSink::finish());
        if (::fsync(file_.get()) != 0) return failErrno(errno, "cannot flush", name_);
        TRY(giveName(temporary_, path_, overwrite_));
        finished_ = true;
        return {};
    }

private:
    Descriptor file_;
    std::filesystem::path temporary_, path_;
    bool overwrite_;
    bool finished_ = false;
};

Result<void> checkFreeSpace(const std::filesystem::path& folder, std::uint64_t expected,
                            const std::string& name) {
    struct statvfs status{};
    if (expected == 0 || ::statvfs(folder.c_str(), &status) != 0) return {};
    const std::uint64_t free =
        checkedMultiply(status.f_bavail, status.f_frsize).value_or(UINT64_MAX);
    if (free >= expected) return {};
    return fail(Errc::io,
                "not enough space: up to " + humanBytes(expected) + " needed, " + humanBytes(free) +
                    " free",
                name);
}

}  // namespace

Result<std::shared_ptr<const Source>> openMappedFile(const std::filesystem::path& path) {
    const std::string name = path.string();
    // O_NONBLOCK: opening a FIFO for reading would wait for a writer.
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.get() < 0) return failErrno(errno, "cannot open", name);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return failErrno(errno, "cannot examine", name);
    if (S_ISDIR(status.st_mode)) return fail(Errc::malformed, "is a directory, not a dump", name);
    if (!S_ISREG(status.st_mode))
        return fail(Errc::unsupported, "is not a regular file: copy it to one first", name);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    std::shared_ptr<const std::byte> mapping;
    if (size > 0) {
        void* at =
            ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_SHARED, file.get(), 0);
        if (at == MAP_FAILED) return failErrno(errno, "cannot map", name);
        mapping = std::shared_ptr<const std::byte>(
            static_cast<const std::byte*>(at), [size](const std::byte* bytes) {
                ::munmap(const_cast<std::byte*>(bytes), static_cast<std::size_t>(size));
            });
    }
    return std::make_shared<MappedSource>(name, std::move(file), std::move(mapping), size);
}

namespace {

Result<std::shared_ptr<const Source>> openAtRandom(const std::filesystem::path& path) {
    ASSIGN_OR_RETURN(auto file, openMappedFile(path));
    // A dump is looked at here and there, and the places are far apart: what the kernel would read
    // around each makes a cold start five times longer. Long runs are read by `read`, which it goes
    // on reading ahead for.
    if (const auto bytes = file->mapped(); !bytes.empty()) {
        ::madvise(const_cast<std::byte*>(bytes.data()), bytes.size(), MADV_RANDOM);
    }
    return file;
}

}  // namespace

Result<std::shared_ptr<const Source>> openSource(const std::filesystem::path& path) {
    const auto parts = partsOf(path);
    if (!parts) {
        ASSIGN_OR_RETURN(auto file, openAtRandom(path));
        return unpacked(std::move(file));
    }
    std::vector<std::shared_ptr<const Source>> files;
    files.reserve(parts->size());
    for (const std::filesystem::path& part : *parts) {
        if (part.empty()) {
            files.push_back(nullptr);
            continue;
        }
        ASSIGN_OR_RETURN(auto file, openAtRandom(part));
        files.push_back(std::move(file));
    }
    ASSIGN_OR_RETURN(auto joined, joinParts(std::move(files), parts->front().string()));
    return unpacked(std::move(joined));
}

Result<std::unique_ptr<Sink>> createFileSink(const std::filesystem::path& path,
                                             const FileSinkOptions& options) {
    const std::string name = path.string();
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) {
        TRY(canBeReplaced(path, status));
        if (!options.overwrite) return fail(Errc::exists, "already exists", name);
    }
    TRY(checkFreeSpace(folderOf(path), options.expected, name));
    ASSIGN_OR_RETURN(TemporaryFile temporary, createTemporary(path));
    return std::make_unique<FileSink>(std::move(temporary), path, options.overwrite);
}

std::unique_ptr<Sink> descriptorSink(int descriptor, std::string name) {
    return std::make_unique<DescriptorSink>(descriptor, std::move(name));
}

}  // namespace icecore
