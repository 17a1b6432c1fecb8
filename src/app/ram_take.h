// Taking a machine's memory: from a source, in a format, to a file or wherever it is to go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/ram_manifest.h"
#include "app/volume_files.h"
#include "base/progress.h"
#include "bytes/codec.h"
#include "formats/format.h"
#include "live/ram/ram_source.h"

namespace icecore::app {

struct RamTask {
    std::string source = "auto";  ///< as ram::openRam takes it, or the file of an image
    std::vector<Range> holes;     ///< of a file or device: addresses that it leaves out
    std::string output;           ///< file, block device, "-", tcp://HOST:PORT, tls://HOST:PORT
    std::string caCertificates;  ///< of whom a tls output's certificate may be; empty: the system's
    VolumeWords volumes;   ///< where the image is several files, of which `output` is the first
    std::string manifest;  ///< empty: beside a file, none otherwise
    const Format* format = nullptr;
    std::optional<Codec> codec;
    std::uint64_t bytesPerSecond = 0;  ///< 0: no limit
    int threads = 0;
    bool live = false, overwrite = false, resume = false, force = false;
    bool hash = true, direct = true;
    bool blockHashes = true;  ///< in the image itself, where the format has them
};

/// Opens the source that the task names.
Result<ram::RamSource> openSourceOf(const RamTask& task, std::vector<ram::Attempt>& attempts);

/// What a plan says of the place that the image goes to.
struct RamPlace {
    std::uint64_t needed = 0;           ///< bytes that the image has at most
    bool mayShrink = false;             ///< the format compresses, or leaves zeros as holes
    std::optional<std::uint64_t> free;  ///< on the disk; nothing where that cannot be known
    std::string objection;  ///< why it is refused without --force; empty where it is not
};
RamPlace examinePlace(const RamTask& task, const AddressSpace& memory);

/// Takes it. On failure a file's beginning stays, to be continued with `resume`.
Result<RamManifest> takeRam(const RamTask& task, ram::RamSource source, Progress& progress);

/// Where the manifest of the task goes; empty: nowhere.
std::string manifestPath(const RamTask& task);

}  // namespace icecore::app
