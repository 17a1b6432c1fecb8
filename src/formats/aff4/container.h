// The volumes of an AFF4 image and what they say together.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/issue.h"
#include "formats/aff4/turtle.h"
#include "formats/aff4/zip_reader.h"

namespace icecore::aff4 {

struct Volume {
    std::string urn;
    std::shared_ptr<const Source> file;
    ZipReader zip;
};

/// A member of one of the volumes.
struct Place {
    const Volume* volume = nullptr;
    const ZipMember* member = nullptr;
    explicit operator bool() const { return member != nullptr; }
};

/// As many as an image may have: others beside it are not looked for.
inline constexpr std::size_t maxVolumes = 1000;

class Container {
public:
    /// Opens the volume and, where it speaks of others, those of them that lie beside it.
    static Result<Container> open(std::shared_ptr<const Source> file, Issues& issues);

    [[nodiscard]] const Graph& graph() const { return graph_; }
    [[nodiscard]] const std::vector<std::shared_ptr<const Volume>>& volumes() const {
        return volumes_;
    }
    /// The member that `object` (an URN) keeps under `name` ("map", "00000000.index"); an empty
    /// name is the object itself.
    [[nodiscard]] Place find(std::string_view object, std::string_view name) const;
    /// Of an archive that was broken off, as `unfinished.h` finds them: the map's entries. Else
    /// null.
    [[nodiscard]] const SharedBytes* begunMap() const { return begunMap_ ? &*begunMap_ : nullptr; }
    [[nodiscard]] Result<SharedBytes> load(const Place& place, std::uint64_t limit) const {
        return place.volume->zip.load(*place.member, limit);
    }

private:
    Result<void> addVolume(std::shared_ptr<const Source> file);
    Result<void> addBegun(const std::shared_ptr<const Source>& file);
    void addNeighbours(Issues& issues);
    [[nodiscard]] std::vector<std::string> wantedVolumes() const;
    [[nodiscard]] std::string nameOf(const std::string& urn) const;
    [[nodiscard]] bool has(std::string_view urn) const;

    std::vector<std::shared_ptr<const Volume>> volumes_;
    Graph graph_;
    std::optional<SharedBytes> begunMap_;
};

/// Whether the file is a ZIP archive that says it is an AFF4 volume.
bool isVolume(const Source& file);

/// Name of the members' folder of an object that is not below the volume: "aff4%3A%2F%2F…".
std::string escaped(std::string_view urn);

}  // namespace icecore::aff4
