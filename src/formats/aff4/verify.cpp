// The hashes of an AFF4 image. Those of blocks lie in members "NNNNNNNN.blockHash.NAME", one after
// another for each chunk; "blockhash.NAME" objects have the hash of all of them, and the map's
// blockMapHash covers those and the map itself (AFF4 Standard v1.0, 5; what exactly is hashed is
// taken from the reference images).
#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "bytes/hash.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/image_stream.h"
#include "formats/aff4/map_space.h"
#include "formats/image/image.h"

namespace icecore::aff4 {

namespace {

constexpr std::uint64_t maxMember = std::uint64_t{1} << 30;
constexpr std::size_t pieceSize = std::size_t{1} << 20;

struct NamedHash {
    HashKind kind;
    std::string_view type;    ///< of a literal
    std::string_view member;  ///< ending of a member of block hashes
};
/// In the order in which the hash of a map takes them.
constexpr std::array hashes = {NamedHash{HashKind::md5, "aff4:MD5", "md5"},
                               NamedHash{HashKind::sha1, "aff4:SHA1", "sha1"},
                               NamedHash{HashKind::sha256, "aff4:SHA256", "sha256"},
                               NamedHash{HashKind::sha512, "aff4:SHA512", "sha512"},
                               NamedHash{HashKind::blake2b, "aff4:Blake2b", "blake2b"}};

const NamedHash* hashOfType(std::string_view type) {
    const auto found = std::ranges::find_if(
        hashes, [&](const NamedHash& one) { return equalsIgnoreCase(one.type, type); });
    return found == hashes.end() ? nullptr : &*found;
}

std::vector<std::byte> hashBytes(HashKind kind, std::span<const std::byte> bytes) {
    Hasher hasher(kind);
    hasher.update(bytes);
    return hasher.finish();
}

class Verifier {
public:
    Verifier(std::shared_ptr<const Container> container, Progress& progress)
        : container_(std::move(container)), graph_(container_->graph()), progress_(progress) {}

    Result<std::vector<FormatCheck>> run() {
        std::uint64_t total = 0;
        std::vector<std::string> streams;
        for (const auto& [subject, statements] : graph_.subjects()) {
            const auto size = graph_.number(subject, "aff4:size");
            if (!size || !container_->find(subject, bevyName(0))) continue;
            streams.push_back(subject);
            total += *size;
        }
        progress_.begin("checking hashes", total);
        for (const std::string& stream : streams)
            TRY(checkStream(stream));
        for (const auto& [subject, statements] : graph_.subjects()) {
            if (container_->find(subject, "map")) checkMap(subject);
        }
        TRY(checkImages());
        return std::move(checks_);
    }

private:
    void compare(const std::string& what, const Node& said, std::span<const std::byte> is) {
        const std::string text = hexBytes(is);
        const bool same = equalsIgnoreCase(trim(said.value), text);
        checks_.push_back(
            {what, same ? text : "is " + text + ", should be " + printable(said.value), same});
    }
    static std::string shortName(const std::string& urn) {
        return urn.starts_with("aff4://") ? urn.substr(7, 8) : urn;
    }

    /// The whole content, for its hashes and those of its chunks.
    Result<void> checkStream(const std::string& urn) {
        auto shape = shapeOf(graph_, urn);
        if (!shape) {
            checks_.push_back({"stream " + shortName(urn), shape.error().describe(), false});
            return {};
        }
        const std::vector<Node> said = graph_.all(urn, "aff4:hash");
        std::vector<std::pair<const NamedHash*, Hasher>> whole;
        for (const Node& node : said) {
            const NamedHash* const known = hashOfType(node.type);
            const bool fresh =
                std::ranges::none_of(whole, [&](const auto& one) { return one.first == known; });
            if (known != nullptr && fresh) whole.emplace_back(known, Hasher(known->kind));
        }
        std::vector<const NamedHash*> blocks;
        for (const NamedHash& one : hashes) {
            if (blockHashes(urn, 0, one)) blocks.push_back(&one);
        }
        if (blocks.empty())
            checks_.push_back(
                {"blocks " + shortName(urn), "not checked: they have no hashes", true});
        const ImageStream stream(container_, *shape);
        TRY(readChunks(stream, whole, blocks));
        for (auto& [named, hasher] : whole) {
            const std::vector<std::byte> is = hasher.finish();
            for (const Node& node : said) {
                if (hashOfType(node.type) == named)
                    compare("stream " + shortName(urn) + " " + std::string(named->member), node,
                            is);
            }
        }
        for (const NamedHash* const one : blocks)
            checkBlockHashes(urn, *one);
        checkBevies(urn);
        return {};
    }

    Result<void> readChunks(const ImageStream& stream,
                            std::vector<std::pair<const NamedHash*, Hasher>>& whole,
                            const std::vector<const NamedHash*>& blocks) {
        const StreamShape& shape = stream.shape();
        std::vector<std::byte> chunk(static_cast<std::size_t>(shape.chunkSize));
        std::vector<std::uint64_t> bad(blocks.size());
        std::vector<SharedBytes> expected(blocks.size());
        std::uint64_t loaded = UINT64_MAX;
        std::uint64_t number = 0;
        for (std::uint64_t at = 0; at < shape.size; at += shape.chunkSize, ++number) {
            if (progress_.cancelled()) return fail(Errc::cancelled, "cancelled");
            const auto size = static_cast<std::size_t>(std::min(shape.chunkSize, shape.size - at));
            const auto bytes = std::span(chunk).first(size);
            const auto got = stream.read(at, bytes);
            if (!got || *got != size) {
                checks_.push_back({"stream " + shortName(shape.urn),
                                   got ? "ends too early" : got.error().describe(), false});
                return {};
            }
            for (auto& [named, hasher] : whole)
                hasher.update(bytes);
            if (const std::uint64_t bevy = number / shape.chunksInSegment; bevy != loaded) {
                loaded = bevy;
                for (std::size_t i = 0; i < blocks.size(); ++i)
                    expected[i] = blockHashes(shape.urn, bevy, *blocks[i]).value_or(SharedBytes());
            }
            const std::uint64_t index = number % shape.chunksInSegment;
            for (std::size_t i = 0; i < blocks.size(); ++i) {
                const auto is = hashBytes(blocks[i]->kind, bytes);
                const std::uint64_t offset = index * is.size();
                const bool there = offset + is.size() <= expected[i].size();
                if (!there ||
                    !std::ranges::equal(is, expected[i].span().subspan(
                                                static_cast<std::size_t>(offset), is.size())))
                    ++bad[i];
            }
            progress_.advance(size);
        }
        for (std::size_t i = 0; i < blocks.size(); ++i)
            checks_.push_back(
                {"blocks " + shortName(shape.urn) + " " + std::string(blocks[i]->member),
                 std::to_string(number - bad[i]) + " of " + std::to_string(number) +
                     " have their hash",
                 bad[i] == 0});
        return {};
    }

    /// The members are in the standard beside the bevy, before it below.
    std::optional<SharedBytes> blockHashes(const std::string& urn, std::uint64_t bevy,
                                           const NamedHash& hash) const {
        for (const std::string_view between : {".", "/"}) {
            const Place place = container_->find(urn, bevyName(bevy) + std::string(between) +
                                                          "blockHash." + std::string(hash.member));
            if (!place) continue;
            auto bytes = container_->load(place, maxMember);
            if (bytes) return *std::move(bytes);
        }
        return std::nullopt;
    }

    /// The hashes of all bevies' hashes, one behind the other.
    std::optional<std::vector<std::byte>> hashOfBlockHashes(const std::string& urn,
                                                            const NamedHash& named,
                                                            HashKind kind) const {
        Hasher hasher(kind);
        std::uint64_t bevy = 0;
        for (; auto bytes = blockHashes(urn, bevy, named); ++bevy)
            hasher.update(bytes->span());
        if (bevy == 0) return std::nullopt;
        return hasher.finish();
    }

    void checkBlockHashes(const std::string& urn, const NamedHash& named) {
        const std::string object = urn + "/blockhash." + std::string(named.member);
        for (const Node& said : graph_.all(object, "aff4:hash")) {
            const NamedHash* const kind = hashOfType(said.type);
            if (kind == nullptr) continue;
            if (const auto is = hashOfBlockHashes(urn, named, kind->kind))
                compare("hash of " + std::string(named.member) + " hashes", said, *is);
        }
    }

    /// Of the indices. What imageStreamHash covers is not written down anywhere, and it is not the
    /// bevies.
    void checkBevies(const std::string& urn) {
        if (graph_.one(urn, "aff4:imageStreamHash"))
            checks_.push_back({"imageStreamHash " + shortName(urn),
                               "not checked: what it covers is not specified", true});
        const auto said = graph_.one(urn, "aff4:imageStreamIndexHash");
        const NamedHash* const named = said ? hashOfType(said->type) : nullptr;
        if (named == nullptr) return;
        Hasher hasher(named->kind);
        for (std::uint64_t bevy = 0;; ++bevy) {
            const Place place = container_->find(urn, bevyName(bevy) + ".index");
            if (!place) break;
            const auto bytes = container_->load(place, maxMember);
            if (!bytes) {
                checks_.push_back({"imageStreamIndexHash", bytes.error().describe(), false});
                return;
            }
            hasher.update(bytes->span());
        }
        compare("imageStreamIndexHash " + shortName(urn), *said, hasher.finish());
    }

    void checkMap(const std::string& urn) {
        for (const auto& [predicate, name] : {std::pair{"aff4:mapPointHash", "map"},
                                              {"aff4:mapIdxHash", "idx"},
                                              {"aff4:mapPathHash", "mapPath"}}) {
            const auto said = graph_.one(urn, predicate);
            const NamedHash* const named = said ? hashOfType(said->type) : nullptr;
            if (named == nullptr) continue;
            const auto bytes = member(urn, name);
            if (!bytes) continue;
            compare(predicate + 5, *said, hashBytes(named->kind, bytes->span()));
        }
        if (const auto said = graph_.one(urn, "aff4:blockMapHash"))
            compare("blockMapHash " + shortName(urn), *said, blockMapHash(urn));
    }
    std::optional<SharedBytes> member(const std::string& urn, std::string_view name) const {
        const Place place = container_->find(urn, name);
        if (!place) return std::nullopt;
        auto bytes = container_->load(place, maxMember);
        if (!bytes) return std::nullopt;
        return *std::move(bytes);
    }

    /// Whether several maps show the same image, each in a volume of its own.
    [[nodiscard]] bool striped(const std::string& map) const {
        for (const Node& image : graph_.all(map, "aff4:target")) {
            if (mapsOf(image.value).size() > 1) return true;
        }
        return false;
    }
    /// URNs of those that are there, ascending.
    [[nodiscard]] std::vector<std::string> mapsOf(const std::string& image) const {
        std::set<std::string> maps;
        for (const Node& map : graph_.all(image, "aff4:dataStream")) {
            if (container_->find(map.value, "map")) maps.insert(map.value);
        }
        return {maps.begin(), maps.end()};
    }

    /// Over the hashes of block hashes of the map's streams, of the map, its names and its path. Of
    /// a striped image each volume's map covers the streams that are stored beside it.
    std::vector<std::byte> blockMapHash(const std::string& urn) const {
        const HashKind kind = HashKind::sha512;
        const Place own = container_->find(urn, "map");
        const bool besideOnly = striped(urn);
        std::vector<std::string> streams;
        for (const Node& stream : graph_.all(urn, "aff4:dependentStream")) {
            const Place data = container_->find(stream.value, bevyName(0));
            if ((data.volume == own.volume || !besideOnly) &&
                std::ranges::find(streams, stream.value) == streams.end())
                streams.push_back(stream.value);
        }
        Hasher all(kind);
        for (const std::string& stream : streams) {
            for (const NamedHash& named : hashes) {
                if (const auto is = hashOfBlockHashes(stream, named, kind)) all.update(*is);
            }
        }
        for (const char* const name : {"map", "idx", "mapPath"}) {
            if (const auto bytes = member(urn, name)) all.update(hashBytes(kind, bytes->span()));
        }
        return all.finish();
    }

    /// Of one map its own hash; of a striped image the hash of its maps' hashes, in the order of
    /// their URNs (as pyaff4 of the standard's authors has it; the standard does not say).
    void checkBlockMaps(const std::string& image, const Node& said) {
        const std::vector<std::string> maps = mapsOf(image);
        if (maps.size() == 1)
            return compare("image blockMapHash", said, blockMapHash(maps.front()));
        Hasher all(HashKind::sha512);
        for (const std::string& map : maps)
            all.update(blockMapHash(map));
        compare("image blockMapHash", said, all.finish());
    }

    /// What is said of the image as a whole.
    Result<void> checkImages() {
        for (const auto& [subject, statements] : graph_.subjects()) {
            if (!graph_.isA(subject, "aff4:Image")) continue;
            const auto data = graph_.one(subject, "aff4:dataStream");
            for (const Node& said : graph_.all(subject, "aff4:hash")) {
                if (said.type == "aff4:blockMapHashSHA512")
                    checkBlockMaps(subject, said);
                else if (const NamedHash* const named = hashOfType(said.type))
                    TRY(checkLinear(data ? data->value : subject, *named, said));
            }
        }
        return {};
    }

    /// The hash of the image's bytes from its first to its last, gaps as the zeros they stand for.
    Result<void> checkLinear(const std::string& urn, const NamedHash& named, const Node& said) {
        Issues issues;
        const auto memory = openMap(container_, urn, issues);
        const auto size = graph_.number(urn, "aff4:size");
        const std::string what = "image " + std::string(named.member);
        if (!memory || !size) {
            checks_.push_back({what, "cannot be computed", false});
            return {};
        }
        constexpr std::uint64_t longest = std::uint64_t{1} << 44;
        if (*size > longest) {
            checks_.push_back({what, "not computed: the image has " + humanBytes(*size), true});
            return {};
        }
        Hasher hasher(named.kind);
        std::vector<std::byte> piece(pieceSize);
        progress_.begin("checking the image's hash", *size);
        for (std::uint64_t at = 0; at < *size;) {
            if (progress_.cancelled()) return fail(Errc::cancelled, "cancelled");
            const auto want =
                static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), *size - at));
            const ReadOutcome got = (*memory)->read(at, std::span(piece).first(want));
            if (got.bytes == 0) {
                checks_.push_back(
                    {what,
                     "cannot be computed: " + std::string(toString(got.stopped)) + " at " + hex(at),
                     got.stopped == Absence::unreadable || got.stopped == Absence::not_captured});
                return {};
            }
            hasher.update(std::span(piece).first(got.bytes));
            progress_.advance(got.bytes);
            at += got.bytes;
        }
        compare(what, said, hasher.finish());
        return {};
    }

    std::shared_ptr<const Container> container_;
    const Graph& graph_;
    Progress& progress_;
    std::vector<FormatCheck> checks_;
};

}  // namespace

Result<std::vector<FormatCheck>> verify(std::shared_ptr<const Source> source, Progress& progress) {
    Issues issues;
    ASSIGN_OR_RETURN(Container opened, Container::open(std::move(source), issues));
    auto checks = Verifier(std::make_shared<const Container>(std::move(opened)), progress).run();
    if (checks) {
        for (const Issue& issue : issues.items())
            checks->push_back({"volumes", issue.describe(), issue.severity != Severity::loss});
    }
    return checks;
}

}  // namespace icecore::aff4
