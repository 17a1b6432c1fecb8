#include "live/ram/qemu_source_posix.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "bytes/read_at_posix.h"
#include "live/ram/qmp_client_posix.h"

namespace icecore::ram {

namespace {

using nlohmann::json;

/// Asked for at once: large enough that the asking costs nothing, small enough to be kept twice.
constexpr std::uint64_t pieceSize = std::uint64_t{32} << 20;
constexpr std::size_t keptPieces = 2;
constexpr std::uint64_t maxHeaders = std::uint64_t{64} << 20;
constexpr int headerSeconds = 30;

Result<std::vector<std::byte>> readFile(int file, std::uint64_t offset, std::uint64_t size) {
    if (size > maxHeaders) return fail(Errc::limit, "QEMU's headers are too large");
    std::vector<std::byte> bytes(static_cast<std::size_t>(size));
    TRY(readAllAt(file, offset, bytes, "what QEMU wrote"));
    return bytes;
}

/// Takes the first `size` bytes out of a pipe into `bytes`, in addition to what is there.
Result<void> fillFromPipe(int pipe, std::vector<std::byte>& bytes, std::uint64_t size) {
    if (size > maxHeaders) return fail(Errc::limit, "QEMU's headers are too large");
    std::size_t done = bytes.size();
    if (size <= done) return {};
    bytes.resize(static_cast<std::size_t>(size));
    while (done < bytes.size()) {
        pollfd wait{pipe, POLLIN, 0};
        const int ready = ::poll(&wait, 1, headerSeconds * 1000);
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) return fail(Errc::busy, "QEMU does not begin to dump");
        const ssize_t got = ::read(pipe, bytes.data() + done, bytes.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return fail(Errc::truncated, "QEMU ended the dump within its headers");
        done += static_cast<std::size_t>(got);
    }
    return {};
}

Result<elf::Header64> checkHeader(std::span<const std::byte> bytes) {
    const auto header = Cursor(ByteView(bytes)).structure<elf::Header64>();
    if (!std::ranges::equal(elf::magic, std::span(header.ident).first<4>()) ||
        header.ident[elf::identClass] != std::byte{elf::class64} || header.type != elf::typeCore ||
        header.programEntrySize != sizeof(elf::Program64))
        return fail(Errc::unsupported, "QEMU's dump is no 64-bit ELF core");
    return header;
}

std::vector<elf::Program64> programs(std::span<const std::byte> table) {
    std::vector<elf::Program64> all(table.size() / sizeof(elf::Program64));
    Cursor cursor{ByteView(table)};
    for (elf::Program64& one : all)
        one = cursor.structure<elf::Program64>();
    return all;
}

/// The monitor, the guest's state, and the file that QEMU dumps into.
class Guest {
public:
    Guest(QmpClient client, Descriptor file) : client_(std::move(client)), file_(std::move(file)) {}
    ~Guest() {
        if (paused_) (void)client_.run("cont");
    }
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    /// Whether it had been running.
    Result<bool> pause() {
        ASSIGN_OR_RETURN(const json status, client_.run("query-status"));
        if (!status.is_object() || !status.value("running", false)) return false;
        TRY(client_.run("stop"));
        paused_ = true;
        return true;
    }

    struct Layout {
        std::vector<Range> ranges;
        std::vector<std::byte> notes;
    };
    /// Where the guest has memory and what its CPUs hold: the beginning of a dump that is broken
    /// off by closing the pipe it goes into.
    Result<Layout> layout() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failErrno(errno, "cannot make a pipe");
        Descriptor from(ends[0]);
        Descriptor to(ends[1]);
        TRY(pass(to.get()));
        to.reset();
        TRY(client_.send(dumpCommand(std::nullopt)));
        auto read = readLayout(from.get());
        from.reset();
        // It fails, as nobody listens any more; when it had fitted into the pipe it does not.
        (void)client_.answer();
        return read;
    }

    /// The memory of `range`, which lies inside one of the layout's. Bytes that QEMU leaves out are
    /// not in the map.
    Result<std::vector<std::pair<Range, std::vector<std::byte>>>> dump(Range range) {
        if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0)
            return failErrno(errno, "cannot reuse the file between QEMU and us");
        TRY(pass(file_.get()));
        TRY(client_.run(dumpCommand(range)));
        ASSIGN_OR_RETURN(const auto start, readFile(file_.get(), 0, sizeof(elf::Header64)));
        ASSIGN_OR_RETURN(const elf::Header64 header, checkHeader(start));
        ASSIGN_OR_RETURN(const auto table,
                         readFile(file_.get(), header.programOffset,
                                  std::uint64_t{header.programCount} * sizeof(elf::Program64)));
        std::vector<std::pair<Range, std::vector<std::byte>>> parts;
        for (const elf::Program64& one : programs(table)) {
            if (one.type != elf::segmentLoad || one.fileSize == 0) continue;
            const Range part = Range::ofSize(one.physicalAddress, one.fileSize).intersect(range);
            if (part.empty()) continue;
            ASSIGN_OR_RETURN(
                auto bytes, readFile(file_.get(), one.offset + (part.begin() - one.physicalAddress),
                                     part.size()));
            parts.emplace_back(part, std::move(bytes));
        }
        return parts;
    }

private:
    Result<void> pass(int descriptor) {
        TRY(client_.run({{"execute", "getfd"}, {"arguments", {{"fdname", "icecore"}}}},
                        descriptor));
        return {};
    }
    static json dumpCommand(std::optional<Range> range) {
        json arguments = {{"paging", false}, {"protocol", "fd:icecore"}};
        if (range) {
            arguments["begin"] = range->begin();
            arguments["length"] = range->size();
        }
        return {{"execute", "dump-guest-memory"}, {"arguments", std::move(arguments)}};
    }
    static Result<Layout> readLayout(int pipe) {
        std::vector<std::byte> bytes;
        TRY(fillFromPipe(pipe, bytes, sizeof(elf::Header64)));
        ASSIGN_OR_RETURN(const elf::Header64 header, checkHeader(bytes));
        std::uint64_t count = header.programCount;
        if (count == elf::extendedProgramCount) {
            const std::uint64_t at = header.sectionOffset;
            if (at > maxHeaders) return fail(Errc::malformed, "QEMU's headers are too far away");
            TRY(fillFromPipe(pipe, bytes, at + sizeof(elf::Section64)));
            count = Cursor(ByteView(std::span(bytes).subspan(static_cast<std::size_t>(at))))
                        .structure<elf::Section64>()
                        .info;
        }
        const std::uint64_t size = count * sizeof(elf::Program64);
        if (header.programOffset > maxHeaders)
            return fail(Errc::malformed, "QEMU's headers are too far away");
        TRY(fillFromPipe(pipe, bytes, header.programOffset + size));
        Layout layout;
        RangeSet ranges;
        for (const elf::Program64& one : programs(std::span(bytes).subspan(
                 static_cast<std::size_t>(header.programOffset), static_cast<std::size_t>(size)))) {
            if (one.type == elf::segmentLoad)
                ranges.add(Range::ofSize(one.physicalAddress, one.fileSize));
            if (one.type != elf::segmentNote || one.offset > maxHeaders) continue;
            TRY(fillFromPipe(pipe, bytes, one.offset + one.fileSize));
            const auto notes = std::span(bytes).subspan(static_cast<std::size_t>(one.offset),
                                                        static_cast<std::size_t>(one.fileSize));
            layout.notes.assign(notes.begin(), notes.end());
        }
        layout.ranges = ranges.ranges();
        return layout;
    }

    QmpClient client_;
    Descriptor file_;
    bool paused_ = false;
};

class GuestMemory final : public AddressSpace {
public:
    GuestMemory(std::unique_ptr<Guest> guest, std::vector<Range> ranges, std::string name)
        : guest_(std::move(guest)), ranges_(std::move(ranges)), name_(std::move(name)) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        const std::lock_guard lock(mutex_);
        std::size_t done = 0;
        while (done < out.size()) {
            const std::uint64_t at = address + done;
            const auto range =
                std::ranges::find_if(ranges_, [at](const Range& one) { return one.contains(at); });
            if (range == ranges_.end()) return {done, Absence::not_mapped};
            const Range wanted =
                Range::ofSize(alignDown(at, pieceSize), pieceSize).intersect(*range);
            const Piece& piece = fetch(wanted);
            const auto part = std::ranges::find_if(
                piece.parts, [at](const auto& one) { return one.first.contains(at); });
            if (part == piece.parts.end()) return {done, Absence::unreadable};
            const auto from = static_cast<std::size_t>(at - part->first.begin());
            const std::size_t count = std::min(out.size() - done, part->second.size() - from);
            std::memcpy(out.data() + done, part->second.data() + from, count);
            done += count;
        }
        return {done, Absence::none};
    }
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        std::vector<Extent> extents;
        for (const Range& range : ranges_) {
            const Range part = range.intersect(within);
            if (!part.empty()) extents.push_back({part, Absence::none, false});
        }
        return extents;
    }
    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        const std::lock_guard lock(mutex_);
        for (const Piece& piece : kept_) {
            if (piece.range.contains(address) && !piece.problem.empty()) return piece.problem;
        }
        return "the guest at " + name_;
    }

private:
    struct Piece {
        Range range;
        std::vector<std::pair<Range, std::vector<std::byte>>> parts;
        std::string problem;
    };
    const Piece& fetch(Range range) const {
        const auto known = std::ranges::find(kept_, range, &Piece::range);
        if (known != kept_.end()) return *known;
        if (kept_.size() == keptPieces) kept_.pop_back();
        Piece piece;
        piece.range = range;
        if (auto parts = guest_->dump(range))
            piece.parts = std::move(*parts);
        else
            piece.problem = parts.error().describe();
        kept_.push_front(std::move(piece));
        return kept_.front();
    }

    std::unique_ptr<Guest> guest_;
    std::vector<Range> ranges_;
    std::string name_;
    mutable std::mutex mutex_;
    mutable std::list<Piece> kept_;
};

}  // namespace

Result<RamSource> openGuest(const std::string& path, bool live) {
    ASSIGN_OR_RETURN(QmpClient client, QmpClient::connect(path));
    Descriptor file(::memfd_create("icecore-guest", MFD_CLOEXEC));
    if (!file.valid()) return failErrno(errno, "cannot make an anonymous file");
    auto guest = std::make_unique<Guest>(std::move(client), std::move(file));
    RamSource source;
    source.name = "qmp:" + path;
    source.description = "the guest of QEMU at " + path;
    if (live) {
        source.description += ", which goes on running";
    } else {
        ASSIGN_OR_RETURN(const bool running, guest->pause());
        source.description += running ? ", paused meanwhile" : ", which stands still";
        source.consistency = Consistency::frozen;
    }
    ASSIGN_OR_RETURN(Guest::Layout layout, guest->layout());
    if (layout.ranges.empty()) return fail(Errc::unsupported, "the guest has no memory", path);
    source.notes = std::move(layout.notes);
    source.memory = std::make_shared<GuestMemory>(std::move(guest), std::move(layout.ranges), path);
    return source;
}

}  // namespace icecore::ram
