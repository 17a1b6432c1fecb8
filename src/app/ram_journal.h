// What an interrupted acquisition leaves beside its unfinished file, and going on from there.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bytes/part_file.h"
#include "formats/format.h"
#include "live/ram/recorded_memory.h"

namespace icecore::app {

/// PATH.part.json: what must be the same to go on, and how far it had come.
struct RamJournal {
    std::string source, format, codec;
    std::vector<Range> ranges;        ///< of the machine's memory
    std::int64_t started = 0;         ///< seconds since 1970
    std::uint64_t position = 0;       ///< bytes of the file that are on the disk
    std::vector<ram::Unread> unread;  ///< found so far
    std::uint64_t interruptions = 0;
    bool operator==(const RamJournal&) const = default;
};

std::string journalPath(const std::string& output);
Result<void> saveJournal(const std::string& output, const RamJournal& journal);
Result<RamJournal> loadJournal(const std::string& output);

/// What an acquisition goes on with.
struct Continued {
    std::shared_ptr<const AddressSpace> memory;
    std::shared_ptr<const Source> begun;  ///< the unfinished file; null where none of it counts
};
/// What the unfinished file has comes from there, what could not be read stays unread, everything
/// else comes from `live`. The same bytes are then written again up to where the file ends, which
/// is cut to what is whole of it; `journal`, on the disk too, says how long it is then.
/// `unsupported` for formats whose unfinished files cannot be gone on with.
Result<Continued> continuedMemory(const std::string& output, const Format& format,
                                  RamJournal& journal, std::shared_ptr<const AddressSpace> live);

/// Passes everything on, and every so often has it put on the disk and `keep` told how far that is.
class JournalSink final : public Sink, public ReservingSink {
public:
    using Keep = std::function<Result<void>(std::uint64_t position)>;
    JournalSink(std::unique_ptr<PartFile> file, Keep keep)
        : file_(std::move(file)), keep_(std::move(keep)) {}

    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override;
    [[nodiscard]] Result<void> reserve(std::uint64_t count) override;
    [[nodiscard]] bool canPatch() const override { return file_->canPatch(); }
    [[nodiscard]] Result<void> patch(std::uint64_t offset,
                                     std::span<const std::byte> bytes) override {
        return file_->patch(offset, bytes);
    }
    [[nodiscard]] Result<void> finish() override { return file_->finish(); }
    /// Now.
    [[nodiscard]] Result<void> checkpoint();

private:
    Result<void> advanced();

    using Clock = std::chrono::steady_clock;
    std::unique_ptr<PartFile> file_;
    Keep keep_;
    std::uint64_t kept_ = 0;
    Clock::time_point keptAt_ = Clock::now();
};

}  // namespace icecore::app
