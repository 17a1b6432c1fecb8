// The table of formats: the one place that knows them all.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/issue.h"
#include "base/progress.h"
#include "bytes/codec.h"
#include "bytes/sink.h"
#include "bytes/source.h"
#include "model/save_plan.h"
#include "model/snapshot.h"

namespace icecore {

struct WriteReport {
    std::uint64_t bytes = 0;      ///< written, holes included
    std::uint64_t zeroBytes = 0;  ///< of which holes
    std::vector<Range> unread;    ///< asked for by the plan, and could not be read
    Issues losses;                ///< what the format cannot hold, what was cut
};

/// A file of an image of several.
struct ImageVolume {
    std::unique_ptr<Sink> sink;  ///< finished by the writer when the volume is whole
    std::string name;            ///< of the file: the other volumes tell it
};

/// That an image is to lie in several files (`Format::manyVolumes`), besides the one that writers
/// are given as its first.
struct ImageVolumes {
    std::string firstName;  ///< of the first one's file
    unsigned stripes = 0;   ///< so many more, all written at the same time; or, where that is 0,
    std::uint64_t mostBytes = 0;  ///< as many as it takes so that none is longer than this
    std::function<Result<ImageVolume>()> next;  ///< opens one more
};

/// How the image of a machine's memory is to be written.
struct ImageOptions {
    std::optional<Codec> codec;  ///< one of the format's; its first when none is given
    int threads = 0;             ///< 0: as many as the machine has
    /// The unfinished file that is gone on with, of `Format::wholeBytes` bytes.
    std::shared_ptr<const Source> begun;
    std::optional<ImageVolumes> volumes;  ///< not together with `begun`
    /// Where the format has them (`Format::blockHashes`), hashes of each block of memory. A file
    /// that is gone on with keeps to what it has begun.
    bool blockHashes = true;
};

/// One thing that a file says of itself, looked at.
struct FormatCheck {
    std::string what, result;
    bool good = true;
};

/// One row of the table. Functions may be null where the format cannot do it.
struct Format {
    std::string_view name;         ///< "core", "minidump": what --format takes
    std::string_view description;  ///< "ELF core dump"
    std::string_view extension;    ///< ".dmp": chosen for output names that end so
    /// Cheap and certain: looks at the first bytes only.
    bool (*probe)(const Source& source);
    /// A Snapshot with issues; an error only when nothing is readable.
    Result<Snapshot> (*open)(std::shared_ptr<const Source> source);
    /// Writes front to back; never seeks back except through Sink::patch where possible.
    Result<WriteReport> (*write)(const Snapshot& snapshot, const SavePlan& plan, Sink& sink,
                                 Progress& progress);
    /// Everything the file holds, field by field, as text that `build` understands.
    Result<std::string> (*describe)(std::shared_ptr<const Source> source);
    /// The file that such a text describes, wrong values included: what tests break dumps with.
    Result<std::vector<std::byte>> (*build)(std::string_view text);

    // Images of a machine's memory: their snapshots have a `machine` and no `process`.
    /// Writes snapshot.machine's memory. `report.unread` are ranges that should have been there.
    Result<WriteReport> (*writeImage)(const Snapshot& snapshot, const ImageOptions& options,
                                      Sink& sink, Progress& progress) = nullptr;
    /// How writeImage can compress, its choice first; empty: not at all.
    std::span<const Codec> codecs{};
    /// Other extensions that mean this format, of outputs and where nothing else tells.
    std::span<const std::string_view> moreExtensions{};
    /// How many bytes of a file that was broken off count when its image is written once more: what
    /// `open` gives back of them comes out the same, and what stands behind them is of something
    /// that is not whole. So an acquisition can go on where it ended; null where it cannot.
    std::uint64_t (*wholeBytes)(const std::shared_ptr<const Source>& begun) = nullptr;
    /// Whether an image can lie in several files: see ImageVolumes.
    bool manyVolumes = false;
    bool blockHashes = false;
    /// Checks every hash that the file has of its own content.
    Result<std::vector<FormatCheck>> (*verify)(std::shared_ptr<const Source> source,
                                               Progress& progress) = nullptr;
};

std::span<const Format> allFormats();
const Format* formatByName(std::string_view name);
/// By the extension of an output path, or null.
const Format* formatByExtension(const std::filesystem::path& path);
/// The format to write a machine's memory in, by the extension of an output path, or null.
const Format* imageFormatByExtension(const std::filesystem::path& path);
/// By its name or, without the dot, an extension: what --format takes of images. Null for others.
const Format* imageFormatByWord(std::string_view word);
/// The format whose probe recognises the source; `malformed` telling what the file looks like
/// instead (empty, text, ELF program, gzip…) when none does.
Result<const Format*> recognise(const Source& source);
/// openSource + recognise + open.
Result<Snapshot> openDump(const std::filesystem::path& path);

}  // namespace icecore
