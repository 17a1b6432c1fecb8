// The volumes that an image is written in: one, stripes, or one behind the other.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/issue.h"
#include "bytes/byte_view.h"
#include "formats/aff4/description.h"
#include "formats/aff4/volume_writer.h"
#include "formats/format.h"

namespace icecore::aff4 {

/// One that chunks can still go to.
struct OpenVolume {
    OpenVolume(std::size_t index, Names names, std::unique_ptr<Sink> owned, Sink& sink)
        : number(index), own(std::move(owned)), writer(std::move(names), sink) {}
    std::size_t number;         ///< from 0 on
    std::unique_ptr<Sink> own;  ///< null of the first one, which is our caller's
    VolumeWriter writer;
};

/// The line of a volume's stream in idx: the first one's stands before the symbolic ones, which
/// never change, the others' behind them.
std::uint32_t lineOf(std::size_t volume);
/// Of one stream or several, and the symbolic ones.
std::string idxOf(std::span<const std::string> streams);

class VolumeSet {
public:
    /// What is kept beside a map: "/NAME" and content.
    using Extras = std::vector<std::pair<std::string, SharedBytes>>;

    /// `first`: the first volume's URN. `common`: what all volumes say alike. Where they are
    /// written one behind the other, the image is said to be in the first one.
    VolumeSet(const ImageOptions& options, std::string first, Description common, Extras extras);

    [[nodiscard]] const std::string& first() const { return first_; }
    [[nodiscard]] bool several() const { return options_.volumes.has_value(); }
    Result<void> openFirst(Sink& sink);
    Result<void> openNext();
    [[nodiscard]] std::vector<std::unique_ptr<OpenVolume>>& open() { return open_; }
    [[nodiscard]] const std::vector<std::unique_ptr<OpenVolume>>& open() const { return open_; }
    /// All that have been begun.
    [[nodiscard]] std::size_t count() const { return begun_.size(); }
    /// The last one is there for the map alone.
    void leaveWithoutStream() { begun_.back().stream = false; }

    /// After the last bevy: waits for it, and keeps what is to be said of the stream.
    Result<void> endStream(OpenVolume& volume);

    [[nodiscard]] std::vector<std::string> streams() const;
    /// A map in the volume. Its hash covers the stream beside it, or those that are given.
    [[nodiscard]] MapSaid mapOf(const OpenVolume& volume, std::span<const MapEntry> entries,
                                std::string_view idx, std::uint64_t end,
                                std::vector<std::string> covered = {}) const;
    /// Of a volume whose stream has ended.
    [[nodiscard]] StreamSaid streamOf(std::size_t number, const std::string& map) const;
    [[nodiscard]] Description describing(const OpenVolume& volume) const;
    /// Where another volume's stream is; `map` is the one here that refers to it.
    void speakOf(Description& description, std::size_t number, const std::string& map) const;
    /// The same of the one that is still to be opened.
    void speakOfNext(Description& description) const;
    /// What the file of a volume is called.
    void name(Description& description, std::size_t number) const;
    void speakOfAll(Description& description, std::size_t own, const std::string& map) const;

    /// With the names of its streams, unless they are there already.
    static Result<void> writeMap(OpenVolume& volume, const std::string& urn,
                                 std::span<const MapEntry> entries, const std::string& idx);
    Result<void> writeExtras(OpenVolume& volume, const std::string& map) const;
    /// Bytes that those take.
    [[nodiscard]] std::uint64_t extrasSize() const;
    /// The end of a volume, which is finished unless it is our caller's.
    Result<void> end(OpenVolume& volume, const Description& description);

    /// Written in all volumes that have ended.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] const Issues& losses() const { return losses_; }

private:
    struct Begin {
        Names names;
        std::string file;                  ///< name, where there are several
        std::uint64_t streamSize = 0;      ///< when it is known
        std::vector<std::byte> blockHash;  ///< of its stream, when it is known and has one
        bool stream = true;                ///< whether it has one
    };
    Result<void> begin(ImageVolume volume, Sink& sink);

    const ImageOptions& options_;
    std::string first_;
    Description common_;
    Extras extras_;
    std::vector<Begin> begun_;
    std::vector<std::unique_ptr<OpenVolume>> open_;
    std::uint64_t bytes_ = 0;
    Issues losses_;
};

}  // namespace icecore::aff4
