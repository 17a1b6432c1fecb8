// What there is of an archive of ours that was broken off. Its directory, map and description would
// stand at the end, so the beginning has a description of its own, and each bevy is followed by its
// part of the map.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/aff4/turtle.h"
#include "formats/aff4/zip_reader.h"

namespace icecore::aff4 {

/// The description as it is before anything is known of the content, and a bevy's part of the map:
/// entries of the memory from where the bevy before it ends to where this one does.
inline constexpr std::string_view begunDescription = "begun.turtle";
std::string mapPartName(std::uint64_t bevy);

struct Begun {
    Graph graph;                      ///< with the stream's size
    std::string volume;               ///< URN
    std::vector<std::byte> map;       ///< entries, of all whole bevies
    std::vector<std::uint64_t> ends;  ///< of each whole bevy: the address where its memory ends
    std::optional<bool> blockHashes;  ///< whether bevies have them; nothing where there is none
    std::uint64_t size = 0;  ///< of the archive up to the end of the last whole bevy's members
};

/// Of the members that ZipReader::walk finds. Bevies are whole up to the first one that is not full
/// or whose part of the map cannot be; with `checkBevies` their checksums count too, for which all
/// is read. `malformed` where it is none of ours.
Result<Begun> readBegun(const ZipReader& zip, bool checkBevies);

}  // namespace icecore::aff4
