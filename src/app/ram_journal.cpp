#include "app/ram_journal.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "formats/image/image.h"
#include "views/json.h"

namespace icecore::app {

namespace {

/// Putting a file on the disk waits for it: seldom enough to cost nothing, often enough to lose
/// little.
constexpr std::uint64_t journalBytes = std::uint64_t{1} << 30;
constexpr auto journalPause = std::chrono::seconds(5);
constexpr std::uintmax_t maxJournal = std::uintmax_t{256} << 20;
constexpr std::string_view schema = "icecore.ram-part/1";

Json rangeJson(const Range& range) {
    return Json::array({hex(range.begin()), hex(range.end())});
}

std::optional<Range> rangeOf(const Json& json) {
    if (!json.is_array() || json.size() < 2 || !json[0].is_string() || !json[1].is_string())
        return std::nullopt;
    const auto begin = parseNumber(json[0].get<std::string>());
    const auto end = parseNumber(json[1].get<std::string>());
    if (!begin || !end || *end < *begin) return std::nullopt;
    return Range::between(*begin, *end);
}

/// Acquired earlier, known to be unreadable, or still to be had.
class ContinuedMemory final : public AddressSpace {
public:
    ContinuedMemory(std::shared_ptr<const AddressSpace> earlier, const std::vector<Range>& had,
                    std::vector<ram::Unread> unread, std::shared_ptr<const AddressSpace> live)
        : earlier_(std::move(earlier)), unread_(std::move(unread)), live_(std::move(live)) {
        for (const ram::Unread& one : unread_)
            parts_.add(one.range, Part::unread);
        for (const Range& range : had)
            parts_.add(range, Part::earlier);
        parts_.seal();
    }

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const std::uint64_t at = address + done;
            const auto* entry = parts_.findAtOrAfter(at);
            const bool inside = entry != nullptr && entry->range.contains(at);
            if (inside && entry->value == Part::unread) return {done, Absence::unreadable};
            const std::uint64_t end = entry == nullptr ? UINT64_MAX
                                      : inside         ? entry->range.end()
                                                       : entry->range.begin();
            const auto want =
                static_cast<std::size_t>(std::min<std::uint64_t>(out.size() - done, end - at));
            const AddressSpace& from = inside ? *earlier_ : *live_;
            const ReadOutcome got = from.read(at, out.subspan(done, want));
            done += got.bytes;
            if (got.bytes < want) return {done, got.stopped};
        }
        return {done, Absence::none};
    }
    /// Where there is memory, the machine says as before; where it is zero now, it was perhaps not.
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        const std::uint64_t end =
            parts_.entries().empty() ? 0 : parts_.entries().back().range.end();
        std::vector<Extent> all;
        for (const Extent& extent : live_->extents(within)) {
            const std::uint64_t middle = std::min(end, extent.range.end());
            if (!extent.zero || extent.range.begin() >= middle) {
                all.push_back(extent);
                continue;
            }
            all.push_back({Range::between(extent.range.begin(), middle), extent.absence, false});
            if (middle < extent.range.end())
                all.push_back({Range::between(middle, extent.range.end()), extent.absence, true});
        }
        return all;
    }
    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        for (const ram::Unread& one : unread_) {
            if (one.range.contains(address)) return one.why;
        }
        return live_->explain(address);
    }

private:
    enum class Part : std::uint8_t { unread, earlier };
    std::shared_ptr<const AddressSpace> earlier_;
    std::vector<ram::Unread> unread_;
    RangeMap<Part> parts_;
    std::shared_ptr<const AddressSpace> live_;
};

}  // namespace

std::string journalPath(const std::string& output) {
    return partPath(output).string() + ".json";
}

Result<void> saveJournal(const std::string& output, const RamJournal& journal) {
    Json ranges = Json::array();
    for (const Range& range : journal.ranges)
        ranges.push_back(rangeJson(range));
    Json unread = Json::array();
    for (const ram::Unread& one : journal.unread) {
        Json json = rangeJson(one.range);
        json.push_back(one.why);
        unread.push_back(std::move(json));
    }
    const Json json = {{"schema", schema},
                       {"source", journal.source},
                       {"format", journal.format},
                       {"codec", journal.codec},
                       {"started", journal.started},
                       {"interruptions", journal.interruptions},
                       {"position", journal.position},
                       {"unread", std::move(unread)},
                       {"ranges", std::move(ranges)}};
    FileSinkOptions options;
    options.overwrite = true;
    ASSIGN_OR_RETURN(auto sink, createFileSink(journalPath(output), options));
    const std::string text =
        json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    TRY(sink->write(std::as_bytes(std::span(text))));
    return sink->finish();
}

Result<RamJournal> loadJournal(const std::string& output) {
    const std::string path = journalPath(output);
    std::error_code problem;
    const auto size = std::filesystem::file_size(path, problem);
    if (problem)
        return fail(Errc::not_found, "there is no interrupted acquisition to go on with", path);
    if (size > maxJournal) return fail(Errc::malformed, "is too large for what it should be", path);
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const Json json = Json::parse(text, nullptr, false);
    const auto bad = [&] { return fail(Errc::malformed, "is damaged", path); };
    if (!json.is_object() || json.value("schema", "") != schema) return bad();
    RamJournal journal;
    for (const auto& [name, into] : {std::pair{"source", &journal.source},
                                     {"format", &journal.format},
                                     {"codec", &journal.codec}}) {
        if (!json.contains(name) || !json[name].is_string()) return bad();
        *into = json[name].get<std::string>();
    }
    for (const auto& [name, into] :
         {std::pair{"position", &journal.position}, {"interruptions", &journal.interruptions}}) {
        if (!json.contains(name) || !json[name].is_number_unsigned()) return bad();
        *into = json[name].get<std::uint64_t>();
    }
    if (!json.contains("started") || !json["started"].is_number_integer()) return bad();
    journal.started = json["started"].get<std::int64_t>();
    for (const Json& one : json.value("ranges", Json::array())) {
        const auto range = rangeOf(one);
        if (!range) return bad();
        journal.ranges.push_back(*range);
    }
    for (const Json& one : json.value("unread", Json::array())) {
        const auto range = rangeOf(one);
        if (!range || one.size() != 3 || !one[2].is_string()) return bad();
        journal.unread.push_back({*range, one[2].get<std::string>()});
    }
    return journal;
}

Result<Continued> continuedMemory(const std::string& output, const Format& format,
                                  RamJournal& journal, std::shared_ptr<const AddressSpace> live) {
    const auto part = partPath(output);
    if (format.wholeBytes == nullptr)
        return fail(Errc::unsupported,
                    std::string(format.description) + " cannot be continued: take another format",
                    part.string());
    std::error_code problem;
    const auto size = std::filesystem::file_size(part, problem);
    if (problem || size < journal.position)
        return fail(Errc::truncated, "is shorter than its journal says", part.string());
    const auto cut = [&]() -> Result<void> {
        std::filesystem::resize_file(part, journal.position, problem);
        if (problem) return fail(Errc::io, "cannot be cut to what is certain", part.string());
        return {};
    };
    // What was written behind that may or may not have reached the disk.
    TRY(cut());
    if (journal.position == 0) return Continued{std::move(live), nullptr};
    {
        ASSIGN_OR_RETURN(const auto file, openMappedFile(part));
        journal.position = format.wholeBytes(file);
    }
    TRY(saveJournal(output, journal));
    TRY(cut());
    if (journal.position == 0) return Continued{std::move(live), nullptr};
    ASSIGN_OR_RETURN(auto file, openMappedFile(part));
    ASSIGN_OR_RETURN(const Snapshot earlier, format.open(file));
    ASSIGN_OR_RETURN(const AddressSpace* const memory, image::physicalMemory(earlier));
    const std::vector<Range> had = image::storedRanges(*memory);
    // Only as far as the file goes: what lies behind gets another chance.
    const Range reached = Range::between(0, image::endOf(had));
    std::vector<ram::Unread> unread;
    for (const ram::Unread& one : journal.unread) {
        if (const Range range = one.range.intersect(reached); !range.empty())
            unread.push_back({range, one.why});
    }
    return Continued{std::make_shared<ContinuedMemory>(earlier.machine->physical, had,
                                                       std::move(unread), std::move(live)),
                     std::move(file)};
}

Result<void> JournalSink::write(std::span<const std::byte> bytes) {
    TRY(file_->write(bytes));
    return advanced();
}

Result<void> JournalSink::zeros(std::uint64_t count) {
    TRY(file_->zeros(count));
    return advanced();
}

Result<void> JournalSink::reserve(std::uint64_t count) {
    TRY(file_->reserve(count));
    return advanced();
}

Result<void> JournalSink::advanced() {
    position_ = file_->position();
    if (position_ - kept_ < journalBytes && Clock::now() - keptAt_ < journalPause) return {};
    return checkpoint();
}

Result<void> JournalSink::checkpoint() {
    TRY(file_->flush());
    kept_ = position_;
    TRY(keep_(position_));
    keptAt_ = Clock::now();
    return {};
}

}  // namespace icecore::app
