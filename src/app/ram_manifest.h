// The record that goes with an image of a machine's memory.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/volume_files.h"
#include "base/issue.h"
#include "live/ram/recorded_memory.h"
#include "model/snapshot.h"
#include "views/json.h"

namespace icecore::app {

struct RamManifest {
    std::string path, format, compression;
    std::uint64_t bytes = 0;                 ///< of the image
    std::vector<VolumeFiles::File> volumes;  ///< its files, where there are several
    std::string source, sourceDescription;
    Consistency consistency = Consistency::unknown;
    SystemInfo system;  ///< whose memory it is
    SystemInfo host;    ///< where icecore ran
    TimePoint started, ended;
    double seconds = 0;  ///< of this run
    std::uint64_t interruptions = 0;
    std::uint64_t memoryBytes = 0, zeroBytes = 0, unreadBytes = 0;
    std::vector<Range> ranges;
    std::vector<ram::Unread> unread;
    std::vector<std::pair<std::string, std::string>> hashes;  ///< of the file, where it is one
    std::string kernelInfo;                                   ///< VMCOREINFO
    bool direct = false;                                      ///< written past the page cache
    Issues issues;  ///< of the source and of what the format cannot hold
};

/// "icecore.ram/1". Nothing is left out, however many ranges there are.
Json manifestJson(const RamManifest& manifest);
Result<void> saveManifest(const std::string& path, const RamManifest& manifest, bool overwrite);

}  // namespace icecore::app
