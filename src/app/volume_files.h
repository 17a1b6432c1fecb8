// The files of an image that lies in several volumes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bytes/sink.h"
#include "formats/format.h"

namespace icecore::app {

/// What --stripe and --split say.
struct VolumeWords {
    std::vector<std::string> stripes;  ///< further files, written at the same time as the first
    std::string split;                 ///< how long each file may be, as parseSize reads it

    [[nodiscard]] bool several() const { return !stripes.empty() || !split.empty(); }
};

/// They are hidden until all of them are whole. What is not whole then is removed, and so it is
/// when one of them cannot be given its name.
class VolumeFiles {
public:
    struct Options {
        bool overwrite = false, direct = true, hash = false;
        std::size_t bufferSize = std::size_t{4} << 20;  ///< as PartFileOptions has it
    };
    struct File {
        std::string path;
        std::uint64_t bytes = 0;
        std::vector<std::pair<std::string, std::string>> hashes;  ///< as HashingSink has them
    };

    /// Whether the image can be such files: `usage` where the format or the output cannot, `exists`
    /// where one of them is there and must not be replaced.
    static Result<VolumeFiles> plan(const std::string& output, const Format& format,
                                    const VolumeWords& words, const Options& options);
    VolumeFiles(VolumeFiles&& other) noexcept = default;
    VolumeFiles& operator=(VolumeFiles&& other) = delete;
    ~VolumeFiles();

    /// The first file. Afterwards `volumes()` gives writers the others.
    Result<std::unique_ptr<Sink>> first() { return open(paths_.front()); }
    /// Uses this object.
    ImageVolumes volumes();
    /// All are finished: gives them their names.
    Result<void> commit();
    /// Those that are finished, in the order in which they were opened.
    [[nodiscard]] std::vector<File> files() const;
    /// Whether all of them are written past the page cache.
    [[nodiscard]] bool direct() const { return direct_; }

private:
    struct Entry {
        File file;
        std::string hidden;  ///< path until all are whole
        bool named = false;
    };
    class VolumeSink;
    VolumeFiles() = default;
    Result<std::unique_ptr<Sink>> open(const std::string& path);
    Result<ImageVolume> openNext();

    std::vector<std::string> paths_;
    std::uint64_t mostBytes_ = 0;  ///< 0: stripes
    Options options_;
    bool direct_ = true;
    std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace icecore::app
