#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "app/hashing_sink.h"
#include "app/output.h"
#include "app/size_word.h"
#include "app/volume_files.h"
#include "base/text.h"
#include "bytes/folder.h"
#include "bytes/new_file_posix.h"
#include "bytes/part_file.h"

namespace icecore::app {

namespace {

/// Each has a thread and buffers of its own.
constexpr std::size_t mostStripes = 16;

/// NAME_2.aff4 of NAME.aff4.
std::string numbered(const std::string& path, std::size_t number) {
    const std::filesystem::path whole(path);
    std::filesystem::path name = whole.stem();
    name += fmt::format("_{}", number);
    name += whole.extension();
    return (whole.parent_path() / name).string();
}

/// The first one that is there already of those that `path` would be split into.
std::string numberedThatIsThere(const std::string& path) {
    const std::filesystem::path whole(path);
    const std::string stem = whole.stem().string() + "_";
    std::error_code problem;
    for (std::filesystem::directory_iterator at(folderOf(whole), problem), end;
         !problem && at != end; at.increment(problem)) {
        const std::filesystem::path& one = at->path();
        const std::string name = one.stem().string();
        if (one.extension() == whole.extension() && name.starts_with(stem) &&
            parseDecimal(std::string_view(name).substr(stem.size())))
            return one.string();
    }
    return {};
}

Result<void> canBeVolume(const std::string& path, bool overwrite) {
    if (path.empty()) return fail(Errc::usage, "a volume needs the name of a file");
    if (!isFile(path))
        return fail(Errc::usage, "an image of several volumes is made of files", path);
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return {};
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
        return fail(Errc::usage, "an image of several volumes is made of files", path);
    if (!overwrite) return fail(Errc::exists, "already exists", path);
    return {};
}

}  // namespace

/// Tells its entry how many bytes there were and what their hashes are.
class VolumeFiles::VolumeSink final : public Sink {
public:
    VolumeSink(std::unique_ptr<Sink> inner, HashingSink* hashing, Entry& entry)
        : inner_(std::move(inner)), hashing_(hashing), entry_(entry) {}
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        TRY(told(inner_->write(bytes)));
        position_ = inner_->position();
        return {};
    }
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        TRY(told(inner_->zeros(count)));
        position_ = inner_->position();
        return {};
    }
    [[nodiscard]] Result<void> finish() override {
        TRY(told(inner_->finish()));
        entry_.file.bytes = position_;
        if (hashing_ != nullptr) entry_.file.hashes = hashing_->hashes();
        return {};
    }

private:
    /// By the name that is wanted, not the hidden one.
    [[nodiscard]] Result<void> told(Result<void> result) const {
        if (!result) result.error().where = entry_.file.path;
        return result;
    }

    std::unique_ptr<Sink> inner_;
    HashingSink* hashing_;
    Entry& entry_;
};

Result<VolumeFiles> VolumeFiles::plan(const std::string& output, const Format& format,
                                      const VolumeWords& words, const Options& options) {
    const std::string_view option = words.split.empty() ? "--stripe" : "--split";
    if (!words.split.empty() && !words.stripes.empty())
        return fail(Errc::usage, "--stripe and --split exclude each other");
    if (!format.manyVolumes)
        return fail(Errc::usage,
                    fmt::format("{}: {} is one file; aff4 can be several", option, format.name));
    if (words.stripes.size() >= mostStripes)
        return fail(Errc::usage, fmt::format("--stripe: at most {} volumes", mostStripes));
    VolumeFiles files;
    files.options_ = options;
    files.paths_ = {output};
    files.paths_.insert(files.paths_.end(), words.stripes.begin(), words.stripes.end());
    for (std::size_t i = 0; i < files.paths_.size(); ++i) {
        TRY(canBeVolume(files.paths_[i], options.overwrite));
        for (std::size_t other = 0; other < i; ++other) {
            if (std::filesystem::path(files.paths_[i]).filename() ==
                std::filesystem::path(files.paths_[other]).filename())
                return fail(Errc::usage,
                            "volumes need names of their own, as they are read from one folder",
                            files.paths_[i]);
        }
    }
    if (words.split.empty()) return files;
    const auto size = parseSize(words.split);
    if (!size || *size == 0)
        return fail(Errc::usage, "--split takes a size, as 4G, 700M or 1048576");
    files.mostBytes_ = *size;
    if (const std::string there = numberedThatIsThere(output); !options.overwrite && !there.empty())
        return fail(Errc::exists, "already exists, and may be one of the volumes", there);
    return files;
}

VolumeFiles::~VolumeFiles() {
    for (const auto& entry : entries_) {
        if (!entry->named) ::unlink(entry->hidden.c_str());
    }
}

Result<std::unique_ptr<Sink>> VolumeFiles::open(const std::string& path) {
    auto entry = std::make_unique<Entry>();
    entry->file.path = path;
    entry->hidden = hiddenBeside(path, ".volume").string();
    PartFileOptions options;
    options.direct = options_.direct;
    options.resumable = false;
    options.bufferSize = options_.bufferSize;
    auto file = createPartFile(entry->hidden, options);
    if (!file) {
        file.error().where = path;
        return std::unexpected(std::move(file).error());
    }
    direct_ = direct_ && (*file)->direct();
    PartFile* const part = file->get();
    std::unique_ptr<Sink> sink = *std::move(file);
    HashingSink* hashing = nullptr;
    if (options_.hash) {
        auto wrapped = std::make_unique<HashingSink>(std::move(sink), options_.bufferSize, part);
        hashing = wrapped.get();
        sink = std::move(wrapped);
    }
    auto volume = std::make_unique<VolumeSink>(std::move(sink), hashing, *entry);
    entries_.push_back(std::move(entry));
    return volume;
}

Result<ImageVolume> VolumeFiles::openNext() {
    if (mostBytes_ > 0) paths_.push_back(numbered(paths_.front(), paths_.size() + 1));
    const std::string path = paths_[entries_.size()];
    ASSIGN_OR_RETURN(auto sink, open(path));
    return ImageVolume{std::move(sink), std::filesystem::path(path).filename().string()};
}

ImageVolumes VolumeFiles::volumes() {
    ImageVolumes volumes;
    volumes.firstName = std::filesystem::path(paths_.front()).filename().string();
    volumes.stripes = mostBytes_ > 0 ? 0 : static_cast<unsigned>(paths_.size() - 1);
    volumes.mostBytes = mostBytes_;
    volumes.next = [this] { return openNext(); };
    return volumes;
}

Result<void> VolumeFiles::commit() {
    for (const auto& entry : entries_) {
        const auto named = giveName(entry->hidden, entry->file.path, options_.overwrite);
        entry->named = named.has_value();
        if (named) continue;
        for (const auto& one : entries_) {
            if (one->named && one != entry) ::unlink(one->file.path.c_str());
        }
        return named;
    }
    return {};
}

std::vector<VolumeFiles::File> VolumeFiles::files() const {
    std::vector<File> files;
    files.reserve(entries_.size());
    for (const auto& entry : entries_)
        files.push_back(entry->file);
    return files;
}

}  // namespace icecore::app
