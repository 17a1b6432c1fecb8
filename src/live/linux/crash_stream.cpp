#include "live/linux/crash_stream.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/range.h"
#include "bytes/elf_layout.h"
#include "bytes/zeros.h"

namespace icecore::live {

namespace {

constexpr std::size_t blockSize = std::size_t{1} << 20;
/// Zeros become holes in this granularity.
constexpr std::size_t pageBytes = 4096;

template <class T>
T structAt(const std::vector<std::byte>& bytes, std::uint64_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

/// Writes runs of pages with content and passes over the others.
Result<std::uint64_t> writeSparse(Sink& sink, std::span<const std::byte> bytes) {
    std::uint64_t stored = 0;
    while (!bytes.empty()) {
        const bool zero = allZero(bytes.first(std::min(pageBytes, bytes.size())));
        std::size_t run = std::min(pageBytes, bytes.size());
        while (run < bytes.size() &&
               allZero(bytes.subspan(run, std::min(pageBytes, bytes.size() - run))) == zero)
            run = std::min(run + pageBytes, bytes.size());
        if (zero) {
            TRY(sink.zeros(run));
        } else {
            TRY(sink.write(bytes.first(run)));
            stored += run;
        }
        bytes = bytes.subspan(run);
    }
    return stored;
}

}  // namespace

CrashStream::CrashStream(Descriptor pipe, Clock::time_point deadline)
    : pipe_(std::move(pipe)), deadline_(deadline) {}

Result<std::size_t> CrashStream::readSome(std::span<std::byte> out) {
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
        if (left.count() <= 0) return fail(Errc::io, "the core does not come on", "pipe");
        pollfd ready{pipe_.get(), POLLIN, 0};
        const int count = ::poll(&ready, 1, static_cast<int>(std::min<long>(left.count(), 1000)));
        if (count < 0 && errno != EINTR) return failErrno(errno, "cannot wait", "pipe");
        if (count <= 0) continue;
        const ssize_t got = ::read(pipe_.get(), out.data(), out.size());
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return failErrno(errno, "cannot read", "pipe");
        return static_cast<std::size_t>(got);
    }
}

Result<void> CrashStream::extendHead(std::uint64_t size) {
    if (size > maxHead) return fail(Errc::limit, "the core's headers and notes are too large");
    while (head_.size() < size) {
        const std::size_t had = head_.size();
        head_.resize(std::min<std::size_t>(size, had + blockSize));
        const auto got = readSome(std::span(head_).subspan(had));
        head_.resize(had + got.value_or(0));
        if (!got) return std::unexpected(got.error());
        if (*got == 0) return fail(Errc::truncated, "the core ends in its headers");
    }
    return {};
}

bool CrashStream::is64() const {
    return head_.size() > elf::identClass && head_[elf::identClass] == std::byte{elf::class64};
}

template <class Header, class Program, class Section>
Result<void> CrashStream::readHeadAs() {
    TRY(extendHead(sizeof(Header)));
    const auto header = structAt<Header>(head_, 0);
    programOffset_ = header.programOffset;
    programCount_ = header.programCount;
    if (header.programEntrySize != sizeof(Program) || programCount_ == 0 ||
        programOffset_ > maxHead)
        return fail(Errc::malformed, "no core of this system's kernel");
    TRY(extendHead(programOffset_ + sizeof(Program)));
    const std::uint64_t firstContent = structAt<Program>(head_, programOffset_).offset;
    // With more segments than 16 bits can count, the count stands in a section header at the very
    // end (PN_XNUM). But the notes, which come first, stand right behind the program headers.
    if (programCount_ == elf::extendedProgramCount && firstContent > programOffset_) {
        programCount_ = (firstContent - programOffset_) / sizeof(Program);
        expected_ = header.sectionOffset + sizeof(Section);
    }
    TRY(extendHead(programOffset_ + programCount_ * sizeof(Program)));
    std::uint64_t notesEnd = 0;
    for (std::uint64_t i = 0; i < programCount_; ++i) {
        const auto program = structAt<Program>(head_, programOffset_ + i * sizeof(Program));
        const auto end = checkedAdd(program.offset, program.fileSize);
        if (!end) return fail(Errc::malformed, "a segment of the core ends beyond all addresses");
        if (program.type == elf::segmentNote) notesEnd = std::max(notesEnd, *end);
        if (program.fileSize != 0) expected_ = std::max(expected_, *end);
    }
    return extendHead(notesEnd);
}

template <class Header, class Program, class Section>
std::vector<std::byte> CrashStream::headAs() const {
    std::vector<std::byte> core = head_;
    for (std::uint64_t i = 0; i < programCount_; ++i) {
        const std::uint64_t at = programOffset_ + i * sizeof(Program);
        if (at + sizeof(Program) > core.size()) break;
        auto program = structAt<Program>(core, at);
        if (program.type == elf::segmentNote) continue;
        program.fileSize = 0;
        program.offset = 0;
        std::memcpy(core.data() + at, &program, sizeof program);
    }
    if (core.size() >= sizeof(Header)) {
        auto header = structAt<Header>(core, 0);
        if (header.programCount == elf::extendedProgramCount) {
            Section section{};
            section.info = static_cast<std::uint32_t>(programCount_);
            core.resize((core.size() + 7) / 8 * 8);
            header.sectionOffset = static_cast<decltype(header.entry + 0)>(core.size());
            header.sectionCount = 1;
            header.sectionEntrySize = sizeof(Section);
            header.nameSection = 0;
            const auto* raw = reinterpret_cast<const std::byte*>(&section);
            core.insert(core.end(), raw, raw + sizeof section);
            std::memcpy(core.data(), &header, sizeof header);
        }
    }
    return core;
}

Result<void> CrashStream::readHead() {
    TRY(extendHead(elf::identSize));
    if (!std::ranges::equal(std::span(head_).first(elf::magic.size()), elf::magic))
        return fail(Errc::malformed, "what came is no core", "pipe");
    return is64() ? readHeadAs<elf::Header64, elf::Program64, elf::Section64>()
                  : readHeadAs<elf::Header32, elf::Program32, elf::Section32>();
}

std::vector<std::byte> CrashStream::headAsCore() const {
    return is64() ? headAs<elf::Header64, elf::Program64, elf::Section64>()
                  : headAs<elf::Header32, elf::Program32, elf::Section32>();
}

Result<CrashStream::Copied> CrashStream::copyTo(Sink& sink, std::uint64_t maxStored) {
    Copied copied;
    std::vector<std::byte> block(blockSize);
    // Blocks are filled up, so that pages are seen whole: a pipe gives what it has.
    std::span<const std::byte> ready = head_;
    bool ended = false;
    std::size_t filled = 0;
    for (;;) {
        if (!ready.empty()) {
            ASSIGN_OR_RETURN(const std::uint64_t stored, writeSparse(sink, ready));
            copied.bytes += ready.size();
            copied.stored += stored;
            if (copied.stored > maxStored)
                return fail(Errc::limit, "the core is larger than may be kept");
        }
        if (ended) break;
        filled = 0;
        // The first block ends on a page of the file.
        const std::size_t wanted = blockSize - copied.bytes % pageBytes;
        while (filled < wanted) {
            ASSIGN_OR_RETURN(const std::size_t got,
                             readSome(std::span(block).subspan(filled, wanted - filled)));
            if (got == 0) {
                ended = true;
                break;
            }
            filled += got;
        }
        ready = std::span(block).first(filled);
    }
    copied.cut = copied.bytes < expected_;
    return copied;
}

}  // namespace icecore::live
