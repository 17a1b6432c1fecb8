#include "formats/aff4/map_space.h"

#include <algorithm>

#include "base/text.h"
#include "bytes/cursor.h"
#include "formats/aff4/image_stream.h"

namespace icecore::aff4 {

namespace {

/// A terabyte in which every other page is zero has 134 million entries; nobody's map has.
constexpr std::uint64_t maxMap = std::uint64_t{1} << 30;
constexpr std::uint64_t maxIdx = std::uint64_t{16} << 20;
constexpr std::size_t maxTargets = 65536;

/// Where bytes come from.
struct Target {
    std::shared_ptr<const Source> stream;
    Absence absence = Absence::none;
    std::string pattern;  ///< repeated, for symbolic streams
};

struct Part {
    std::uint32_t target = 0;
    std::uint64_t offset = 0;
};

class MapSpace final : public AddressSpace {
public:
    MapSpace(RangeMap<Part> parts, std::vector<Target> targets, std::string urn)
        : parts_(std::move(parts)), targets_(std::move(targets)), urn_(std::move(urn)) {}

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        std::size_t done = 0;
        while (done < out.size()) {
            const std::uint64_t at = address + done;
            const auto* entry = parts_.find(at);
            if (entry == nullptr) return {done, Absence::not_mapped};
            const Target& target = targets_[entry->value.target];
            if (target.absence != Absence::none) return {done, target.absence};
            const auto want = static_cast<std::size_t>(
                std::min<std::uint64_t>(out.size() - done, entry->range.end() - at));
            const std::uint64_t offset = entry->value.offset + (at - entry->range.begin());
            const auto into = out.subspan(done, want);
            if (target.stream) {
                const auto got = target.stream->read(offset, into);
                if (!got) return {done, Absence::unreadable};
                done += *got;
                if (*got < want) return {done, Absence::truncated};
            } else {
                fill(target.pattern, offset, into);
                done += want;
            }
        }
        return {done, Absence::none};
    }
    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        std::vector<Extent> extents;
        const auto& entries = parts_.entries();
        auto entry = std::ranges::lower_bound(entries, within.begin(), {},
                                              [](const auto& one) { return one.range.end() - 1; });
        for (; entry != entries.end() && entry->range.begin() < within.end(); ++entry) {
            const Target& target = targets_[entry->value.target];
            const Extent extent{entry->range.intersect(within), target.absence, isZero(target)};
            if (extent.range.empty()) continue;
            Extent* const last = extents.empty() ? nullptr : &extents.back();
            if (last != nullptr && last->range.end() == extent.range.begin() &&
                last->absence == extent.absence && last->zero == extent.zero)
                last->range = Range::between(last->range.begin(), extent.range.end());
            else
                extents.push_back(extent);
        }
        return extents;
    }
    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        const auto* entry = parts_.find(address);
        if (entry == nullptr) return "not in " + urn_;
        const Target& target = targets_[entry->value.target];
        const std::uint64_t offset = entry->value.offset + (address - entry->range.begin());
        if (target.absence != Absence::none) return std::string(toString(target.absence));
        if (!target.stream) return "a symbolic stream";
        std::byte one[1];
        const auto got = target.stream->read(offset, one);
        return got ? target.stream->where(offset) : got.error().describe();
    }

private:
    static bool isZero(const Target& target) {
        return target.absence == Absence::none && !target.stream && target.pattern.size() == 1 &&
               target.pattern[0] == '\0';
    }
    static void fill(const std::string& pattern, std::uint64_t offset, std::span<std::byte> out) {
        for (std::size_t i = 0; i < out.size(); ++i)
            out[i] = static_cast<std::byte>(
                pattern[static_cast<std::size_t>((offset + i) % pattern.size())]);
    }

    RangeMap<Part> parts_;
    std::vector<Target> targets_;
    std::string urn_;
};

std::optional<Target> symbolic(std::string_view urn) {
    Target target;
    constexpr std::string_view stream = "aff4:SymbolicStream";
    std::string_view name = urn;
    if (name == "aff4:Zero") {
        target.pattern = std::string(1, '\0');
    } else if (name == "aff4:UnreadableData") {
        target.absence = Absence::unreadable;
    } else if (name == "aff4:UnknownData") {
        target.absence = Absence::not_captured;
    } else if (name == "aff4:FF") {
        target.pattern = "\xff";
    } else if (name.starts_with(stream)) {
        name.remove_prefix(stream.size());
        if (name.starts_with('#')) name.remove_prefix(1);  // before the standard
        const auto value = parseHex(name);
        if (!value || *value > 0xff || name.size() != 2) return std::nullopt;
        target.pattern = std::string(1, static_cast<char>(*value));
    } else {
        return std::nullopt;
    }
    return target;
}

/// A stream of the image, a plain member, or a symbolic one; `absent` where it cannot be had.
Target openTarget(const std::shared_ptr<const Container>& container, const std::string& urn,
                  Issues& issues) {
    if (auto known = symbolic(urn)) return *std::move(known);
    Target target;
    target.absence = Absence::truncated;
    const Graph& graph = container->graph();
    if (graph.number(urn, "aff4:size")) {
        auto shape = shapeOf(graph, urn);
        if (shape) {
            target.stream = std::make_shared<ImageStream>(container, *std::move(shape));
            target.absence = Absence::none;
        } else {
            issues.loss(shape.error());
        }
    } else {
        issues.loss("the stream " + printable(urn) + " is not in this image");
    }
    return target;
}

/// Adds a map's entries, of which the first target is `first` and which have `count`.
void readParts(ByteView bytes, std::size_t first, std::size_t count, RangeMap<Part>& parts,
               Issues& issues) {
    parts.reserve(parts.size() + bytes.size() / sizeof(MapEntry));
    Cursor cursor(bytes);
    std::size_t bad = 0;
    while (cursor.remaining() >= sizeof(MapEntry)) {
        const auto entry = cursor.structure<MapEntry>();
        const auto end = checkedAdd(entry.mapOffset, entry.length);
        if (!end || *end > INT64_MAX || entry.target >= count || entry.targetOffset > INT64_MAX) {
            ++bad;
            continue;
        }
        parts.add(Range::between(entry.mapOffset, *end),
                  {static_cast<std::uint32_t>(first + entry.target), entry.targetOffset});
    }
    if (bad > 0 || cursor.remaining() > 0)
        issues.loss(std::to_string(bad) + " entries of the map are damaged", bytes.where());
}

/// Adds what a map has. `begun`: its entries, where they are no member.
Result<void> addMap(const std::shared_ptr<const Container>& container, const std::string& urn,
                    const SharedBytes* begun, std::vector<Target>& targets, RangeMap<Part>& parts,
                    Issues& issues) {
    const Place idx = container->find(urn, "idx");
    if (!idx) return fail(Errc::malformed, "a map without the names of its streams", urn);
    ASSIGN_OR_RETURN(const SharedBytes names, container->load(idx, maxIdx));
    const std::size_t first = targets.size();
    for (std::string_view name : split(names.text(), '\n')) {
        name = trim(name);
        if (name.empty()) continue;
        if (targets.size() == maxTargets)
            return fail(Errc::limit, "a map of too many streams", urn);
        targets.push_back(openTarget(container, shortened(name), issues));
    }
    SharedBytes entries;
    if (begun != nullptr) {
        entries = *begun;
    } else {
        ASSIGN_OR_RETURN(entries, container->load(container->find(urn, "map"), maxMap));
    }
    readParts(ByteView(entries.span(), urn), first, targets.size() - first, parts, issues);
    return {};
}

/// Maps of the volumes that are there, of parts of the image that `whole` shows.
std::vector<std::string> mapsOfParts(const Container& container, const std::string& whole) {
    const Graph& graph = container.graph();
    std::vector<std::string> maps;
    for (const auto& [subject, statements] : graph.subjects()) {
        if (!graph.isA(subject, "aff4:Map") || !container.find(subject, "map")) continue;
        for (const Node& image : graph.all(subject, "aff4:target")) {
            const auto shown = graph.all(image.value, "aff4:dataStream");
            if (std::ranges::find(shown, whole, &Node::value) == shown.end()) continue;
            maps.push_back(subject);
            break;
        }
    }
    return maps;
}

}  // namespace

Result<std::shared_ptr<const AddressSpace>> openMap(std::shared_ptr<const Container> container,
                                                    const std::string& urn, Issues& issues) {
    const Graph& graph = container->graph();
    const Place map = container->find(urn, "map");
    std::vector<Target> targets;
    RangeMap<Part> parts;
    const std::uint64_t size =
        std::min<std::uint64_t>(graph.number(urn, "aff4:size").value_or(INT64_MAX), INT64_MAX);
    const SharedBytes* const begun = container->begunMap();
    if (map || begun != nullptr) {
        TRY(addMap(container, urn, begun, targets, parts, issues));
    } else if (const auto maps = mapsOfParts(*container, urn); !maps.empty()) {
        issues.loss("the volume with the map of the whole image is not there", urn);
        for (const std::string& part : maps) {
            TRY(addMap(container, part, nullptr, targets, parts, issues));
            if (parts.size() > maxMap / sizeof(MapEntry))
                return fail(Errc::limit, "maps of too many entries", urn);
        }
    } else {  // a stream that is the whole image
        targets.push_back(openTarget(container, urn, issues));
        if (!targets.front().stream)
            return fail(Errc::malformed, "an image without a map or a stream", urn);
        parts.add(Range::ofSize(0, targets.front().stream->size()), {0, 0});
    }
    if (parts.seal([](Part& part, std::uint64_t skipped) { part.offset += skipped; }) > 0)
        issues.note("entries of the map overlap; the first one counts");
    // What no entry speaks of, where the map has a stream for that.
    if (const auto gaps = graph.one(urn, "aff4:mapGapDefaultStream"); gaps && size < INT64_MAX) {
        RangeSet covered;
        for (const auto& entry : parts.entries())
            covered.add(entry.range);
        const auto missing = covered.missing(Range::between(0, size));
        Target target = openTarget(container, shortened(gaps->value), issues);
        // Gaps of which nothing is known are what they are in every other format: no memory.
        if (!missing.empty() && target.absence == Absence::none) {
            targets.push_back(std::move(target));
            for (const Range& range : missing)
                parts.add(range, {static_cast<std::uint32_t>(targets.size() - 1), range.begin()});
            parts.seal([](Part& part, std::uint64_t skipped) { part.offset += skipped; });
        }
    }
    return std::make_shared<MapSpace>(std::move(parts), std::move(targets), urn);
}

}  // namespace icecore::aff4
