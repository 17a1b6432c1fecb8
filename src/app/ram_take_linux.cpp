#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>

#include "app/hashing_sink.h"
#include "app/output.h"
#include "app/ram_journal.h"
#include "app/ram_take.h"
#include "app/terminal.h"
#include "app/working_memory.h"
#include "base/ordered_work.h"
#include "base/text.h"
#include "bytes/folder.h"
#include "formats/image/image.h"
#include "live/ram/local_sources_linux.h"

namespace icecore::app {

namespace {

// File systems whose files are memory (linux/magic.h).
constexpr std::uint64_t tmpfsMagic = 0x01021994, ramfsMagic = 0x858458f6;

constexpr std::uint64_t leastBuffer = std::uint64_t{64} << 10, mostBuffer = std::uint64_t{4} << 20;

TimePoint now() {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

/// A file of one of our formats as a source: /proc/vmcore, an image that is already there. Nothing
/// where it is none, and is to be taken as it stands.
Result<std::optional<ram::RamSource>> openImage(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    auto snapshot = openDump(path);
    if (!snapshot) return std::nullopt;
    if (!snapshot->machine)
        return fail(Errc::unsupported, "is the dump of a process, not the memory of a machine",
                    path);
    ram::RamSource source;
    source.name = path;
    source.description = fmt::format("{} ({})", path, snapshot->provenance.format);
    source.memory = snapshot->machine->physical;
    source.system = snapshot->machine->system;
    source.consistency = snapshot->provenance.consistency;
    source.issues = snapshot->issues;
    if (const SharedBytes* info = snapshot->attachment(image::kernelInfoAttachment))
        source.kernelInfo = info->text();
    if (const SharedBytes* notes = snapshot->attachment(image::notesAttachment))
        source.notes.assign(notes->span().begin(), notes->span().end());
    return source;
}

std::vector<std::string> outputsOf(const RamTask& task) {
    std::vector<std::string> outputs = {task.output};
    outputs.insert(outputs.end(), task.volumes.stripes.begin(), task.volumes.stripes.end());
    return outputs;
}

struct Disk {
    std::uint64_t free = 0, outputs = 0;
};

Snapshot snapshotOf(const ram::RamSource& source, std::shared_ptr<const AddressSpace> memory) {
    Snapshot snapshot;
    snapshot.machine.emplace();
    snapshot.machine->physical = std::move(memory);
    snapshot.machine->system = source.system;
    snapshot.provenance.path = source.name;
    snapshot.provenance.tool = "icecore";
    snapshot.provenance.consistency = source.consistency;
    if (!source.notes.empty()) {
        image::takeNotes(snapshot, SharedBytes::own(source.notes), source.name);
        if (!source.system.hostName.empty()) snapshot.machine->system = source.system;
    }
    if (!source.kernelInfo.empty())
        image::setKernelInfo(snapshot, SharedBytes::own(std::string(source.kernelInfo)));
    return snapshot;
}

/// One acquisition, from its sinks to its manifest.
class Taking {
public:
    Taking(const RamTask& task, ram::RamSource source, Progress& progress)
        : task_(task), source_(std::move(source)), progress_(progress) {}

    Result<RamManifest> run() {
        started_ = now();
        const auto from = std::chrono::steady_clock::now();
        auto memory = source_.memory;
        journal_.source = source_.name;
        journal_.format = task_.format->name;
        journal_.codec = codecName();
        journal_.ranges = image::storedRanges(*memory);
        journal_.started =
            std::chrono::duration_cast<std::chrono::seconds>(started_.time_since_epoch()).count();
        std::uint64_t keep = 0;
        std::shared_ptr<const Source> begun;
        if (task_.resume) {
            TRY(loadEarlier());
            ASSIGN_OR_RETURN(Continued continued,
                             continuedMemory(task_.output, *task_.format, journal_, memory));
            memory = std::move(continued.memory);
            begun = std::move(continued.begun);
            keep = journal_.position;
        }
        recorded_ = std::make_shared<ram::RecordedMemory>(std::move(memory), task_.bytesPerSecond,
                                                          progress_);
        Snapshot snapshot = snapshotOf(source_, recorded_);
        // Of whole seconds, as the journal has it: continued, the same bytes are to come of it.
        snapshot.provenance.time = std::chrono::floor<std::chrono::seconds>(started_);
        TRY(openSink(keep));
        ImageOptions options;
        options.codec = task_.codec;
        options.threads = task_.threads > 0 ? task_.threads : threadsBeside();
        options.begun = std::move(begun);
        options.blockHashes = task_.blockHashes;
        if (files_) options.volumes = files_->volumes();
        auto report = task_.format->writeImage(snapshot, options, *sink_, progress_);
        if (report && progress_.cancelled()) report = fail(Errc::cancelled, "cancelled");
        Result<void> finished;
        if (report) finished = sink_->finish();
        if (report && finished && files_) finished = files_->commit();
        if (!report || !finished) return broken(report ? finished.error() : report.error());
        if (hashing_ != nullptr && !hashing_->patched()) hashes_ = hashing_->hashes();
        const bool again = hashing_ != nullptr && hashing_->patched();
        sink_.reset();
        // What was written and then corrected has another hash than what went by.
        if (again) {
            ASSIGN_OR_RETURN(
                hashes_, hashFile(task_.output, report->bytes, manifestHashes, bufferSizeOfSink()));
        }
        RamManifest manifest = describe(snapshot, *report);
        manifest.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
        if (const std::string path = manifestPath(task_); !path.empty())
            TRY(saveManifest(path, manifest, task_.overwrite || task_.resume));
        if (journaled_) std::filesystem::remove(journalPath(task_.output), ignored_);
        return manifest;
    }

private:
    /// The hash of all that is written has a thread of its own, which the others would hold up.
    [[nodiscard]] int threadsBeside() const {
        const int all = static_cast<int>(workerCount(0));
        return task_.hash ? std::max(1, all - 1) : all;
    }

    [[nodiscard]] std::string codecName() const {
        if (task_.codec) return std::string(toString(*task_.codec));
        return task_.format->codecs.empty() ? "none"
                                            : std::string(toString(task_.format->codecs.front()));
    }

    Result<void> loadEarlier() {
        if (!isFile(task_.output))
            return fail(Errc::usage, "--resume needs a file to go on with", task_.output);
        ASSIGN_OR_RETURN(RamJournal earlier, loadJournal(task_.output));
        const std::string path = journalPath(task_.output);
        if (earlier.format != journal_.format || earlier.codec != journal_.codec)
            return fail(Errc::mismatch,
                        "was begun as " + earlier.format + " (" + earlier.codec + ")", path);
        if (earlier.source != journal_.source)
            return fail(Errc::mismatch, "was begun from " + earlier.source, path);
        if (earlier.ranges != journal_.ranges)
            return fail(Errc::mismatch, "the machine has memory at other addresses than then",
                        path);
        journal_ = std::move(earlier);
        ++journal_.interruptions;
        started_ = TimePoint(std::chrono::seconds(journal_.started));
        return {};
    }

    /// A small part of the memory that is taken, where our buffers lie as well: 128 KiB of 512 MiB.
    /// It grows with the square, as what else we need is the less of a machine the larger it is.
    [[nodiscard]] std::size_t bufferSizeOfSink() const {
        constexpr std::uint64_t whole = std::uint64_t{4} << 30;  ///< gets the largest buffers
        const std::uint64_t bytes = std::min(image::bytesIn(journal_.ranges), whole);
        return static_cast<std::size_t>(
            std::clamp(alignDown((bytes >> 20) * (bytes >> 21), 4096), leastBuffer, mostBuffer));
    }

    /// Of an image of several volumes the first; what is interrupted leaves none.
    Result<void> openVolumes() {
        VolumeFiles::Options options;
        options.overwrite = task_.overwrite;
        options.direct = task_.direct;
        options.hash = task_.hash;
        options.bufferSize =
            std::max<std::size_t>(bufferSizeOfSink() / (task_.volumes.stripes.size() + 1), 4096);
        ASSIGN_OR_RETURN(VolumeFiles files,
                         VolumeFiles::plan(task_.output, *task_.format, task_.volumes, options));
        files_.emplace(std::move(files));
        ASSIGN_OR_RETURN(sink_, files_->first());
        return {};
    }

    Result<void> openSink(std::uint64_t keep) {
        if (task_.volumes.several()) return openVolumes();
        const std::size_t bufferSize = bufferSizeOfSink();
        PartFile* part = nullptr;
        if (isFile(task_.output) && !std::filesystem::is_fifo(task_.output, ignored_)) {
            PartFileOptions options;
            options.overwrite = task_.overwrite;
            options.direct = task_.direct;
            options.keep = keep;
            options.bufferSize = bufferSize;
            if (!task_.resume && !task_.overwrite &&
                std::filesystem::exists(partPath(task_.output), ignored_))
                return fail(Errc::exists,
                            "an interrupted acquisition is there, which --resume goes on with",
                            partPath(task_.output).string());
            // A journal without a byte that is certain: begin anew, in place of what is there.
            if (task_.resume && keep == 0)
                std::filesystem::remove(partPath(task_.output), ignored_);
            ASSIGN_OR_RETURN(auto file, createPartFile(task_.output, options));
            part = file.get();
            direct_ = file->direct();
            if (std::filesystem::is_block_file(task_.output, ignored_)) {
                sink_ = std::move(file);
            } else {
                journaled_ = true;
                auto sink = std::make_unique<JournalSink>(
                    std::move(file), [this](std::uint64_t position) { return save(position); });
                checkpoint_ = sink.get();
                sink_ = std::move(sink);
                TRY(save(keep));
            }
        } else {
            OutputOptions options;
            options.overwrite = task_.overwrite;
            options.caCertificates = task_.caCertificates;
            ASSIGN_OR_RETURN(sink_, openOutput(task_.output, options));
        }
        if (!task_.hash) return {};
        auto hashing = std::make_unique<HashingSink>(std::move(sink_), bufferSize, part);
        hashing_ = hashing.get();
        sink_ = std::move(hashing);
        return {};
    }

    Result<void> save(std::uint64_t position) {
        journal_.position = position;
        journal_.unread = recorded_->unread();
        return saveJournal(task_.output, journal_);
    }

    /// Keeps what there is, where it can be gone on with.
    std::unexpected<Error> broken(Error error) {
        if (checkpoint_ == nullptr) return std::unexpected(std::move(error));
        const std::string part = partPath(task_.output).string();
        if (task_.format->wholeBytes == nullptr) {
            sink_.reset();
            std::filesystem::remove(part, ignored_);
            std::filesystem::remove(journalPath(task_.output), ignored_);
            return std::unexpected(std::move(error));
        }
        if (error.code != Errc::mismatch) (void)checkpoint_->checkpoint();  // the older one counts
        error.message += fmt::format("; {} is kept in {}, --resume goes on from there",
                                     humanBytes(journal_.position), part);
        return std::unexpected(std::move(error));
    }

    RamManifest describe(const Snapshot& snapshot, const WriteReport& report) {
        RamManifest manifest;
        manifest.path = task_.output;
        manifest.format = task_.format->name;
        manifest.compression = codecName();
        manifest.bytes = report.bytes;
        manifest.source = source_.name;
        manifest.sourceDescription = source_.description;
        manifest.consistency = source_.consistency;
        manifest.system = snapshot.machine->system;
        manifest.host = ram::thisSystem();
        manifest.started = started_;
        manifest.ended = now();
        manifest.interruptions = journal_.interruptions;
        manifest.ranges = journal_.ranges;
        manifest.memoryBytes = image::bytesIn(journal_.ranges);
        manifest.zeroBytes = report.zeroBytes;
        manifest.unread = unreadOf(report);
        for (const ram::Unread& one : manifest.unread)
            manifest.unreadBytes += one.range.size();
        manifest.hashes = hashes_;
        if (const SharedBytes* info = snapshot.attachment(image::kernelInfoAttachment))
            manifest.kernelInfo = info->text();
        manifest.direct = files_ ? files_->direct() : direct_;
        if (files_) manifest.volumes = files_->files();
        manifest.issues = source_.issues;
        for (const Issue& issue : report.losses.items())
            manifest.issues.note(issue.message, issue.where);
        return manifest;
    }

    /// What failed while it was read, and what was known from the beginning to be unreadable.
    [[nodiscard]] std::vector<ram::Unread> unreadOf(const WriteReport& report) const {
        std::vector<ram::Unread> all;
        RangeSet promised;
        for (const Range& range : journal_.ranges)
            promised.add(range);
        RangeSet told;
        for (const ram::Unread& one : recorded_->unread()) {
            for (const Range& part : promised.within(one.range)) {
                all.push_back({part, one.why});
                told.add(part);
            }
        }
        for (const Range& range : report.unread) {
            for (const Range& part : told.missing(range))
                all.push_back({part, "could not be read"});
        }
        for (const Extent& extent : image::absentExtents(*source_.memory))
            all.push_back(
                {extent.range, "not in the source: " + std::string(toString(extent.absence))});
        std::ranges::sort(all, {}, [](const ram::Unread& one) { return one.range; });
        return all;
    }

    const RamTask& task_;
    ram::RamSource source_;
    Progress& progress_;
    std::shared_ptr<ram::RecordedMemory> recorded_;
    RamJournal journal_;
    TimePoint started_;
    std::optional<VolumeFiles> files_;
    std::unique_ptr<Sink> sink_;
    HashingSink* hashing_ = nullptr;
    JournalSink* checkpoint_ = nullptr;
    std::vector<std::pair<std::string, std::string>> hashes_;
    bool direct_ = false, journaled_ = false;
    std::error_code ignored_;
};

}  // namespace

Result<ram::RamSource> openSourceOf(const RamTask& task, std::vector<ram::Attempt>& attempts) {
    if (task.holes.empty()) {
        ASSIGN_OR_RETURN(auto image, openImage(task.source));
        if (image) return *std::move(image);
    }
    ram::RamOptions options;
    options.holes = task.holes;
    options.live = task.live;
    return ram::openRam(task.source, options, attempts);
}

RamPlace examinePlace(const RamTask& task, const AddressSpace& memory) {
    RamPlace place;
    const std::vector<Range> ranges = image::storedRanges(memory);
    // Headers, tables and what compression can add to what cannot be compressed.
    place.needed = image::bytesIn(ranges) + image::bytesIn(ranges) / 64 + (std::uint64_t{1} << 20);
    place.mayShrink =
        task.format != nullptr && !task.format->codecs.empty() && task.codec != Codec::none;
    if (task.output.empty() || !isFile(task.output)) return place;
    struct stat status{};
    if (::stat(task.output.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) return place;
    // Of stripes each disk gets a share for each that lies on it.
    std::map<dev_t, Disk> disks;
    for (const std::string& output : outputsOf(task)) {
        const std::filesystem::path folder = folderOf(output);
        struct statfs disk{};
        if (::statfs(folder.c_str(), &disk) != 0 || ::stat(folder.c_str(), &status) != 0)
            return place;
        const std::uint64_t free = checkedMultiply(static_cast<std::uint64_t>(disk.f_bavail),
                                                   static_cast<std::uint64_t>(disk.f_bsize))
                                       .value_or(UINT64_MAX);
        Disk& one = disks[status.st_dev];
        one.free = free;
        ++one.outputs;
        const auto magic = static_cast<std::uint64_t>(disk.f_type) & 0xffffffff;
        if (magic == tmpfsMagic || magic == ramfsMagic)
            place.objection = "the output would lie in the very memory that is taken (tmpfs)";
    }
    const std::uint64_t share = place.needed / outputsOf(task).size();
    for (auto& [device, disk] : disks) {
        if (task.resume) {  // what is there already needs no room
            std::error_code ignored;
            const auto there = std::filesystem::file_size(partPath(task.output), ignored);
            if (!ignored) disk.free = checkedAdd(disk.free, there).value_or(UINT64_MAX);
        }
        place.free = place.free.value_or(0) + disk.free;
        const std::uint64_t needed = disks.size() == 1 ? place.needed : share * disk.outputs;
        if (place.objection.empty() && !place.mayShrink && disk.free < needed)
            place.objection = fmt::format("the disk is too small: up to {} needed, {} free",
                                          humanBytes(needed), humanBytes(disk.free));
    }
    return place;
}

Result<RamManifest> takeRam(const RamTask& task, ram::RamSource source, Progress& progress) {
    if (!task.force) {
        if (const RamPlace place = examinePlace(task, *source.memory); !place.objection.empty())
            return fail(Errc::io, place.objection + "; --force does it all the same", task.output);
    }
    keepFreedMemory();
    return Taking(task, std::move(source), progress).run();
}

std::string manifestPath(const RamTask& task) {
    if (!task.manifest.empty()) return task.manifest;
    std::error_code ignored;
    const bool other = std::filesystem::exists(task.output, ignored) &&
                       !std::filesystem::is_regular_file(task.output, ignored);
    return isFile(task.output) && !other ? task.output + ".json" : std::string();
}

}  // namespace icecore::app
