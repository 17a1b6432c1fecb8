// What the functions that describe one stream each share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bytes/cursor.h"
#include "bytes/source.h"
#include "formats/dump_text.h"
#include "formats/minidump/reading.h"
#include "formats/minidump/text_specs.h"

namespace icecore::minidump {

/// One dump being described.
class Describing {
public:
    explicit Describing(std::shared_ptr<const Source> file)
        : source(std::move(file)), out(source) {}

    /// Entries of one list that are shown one by one; more are shown as bytes. A real dump's
    /// longest list, of mappings, can have 65 530.
    static constexpr std::uint64_t mostEntries = 200'000;

    std::shared_ptr<const Source> source;
    DumpDescription out;
    struct Block {
        std::uint64_t offset, size;
        std::string label;
    };
    std::vector<Block> memory;  ///< claimed last: what lies inside it is memory

    template <class T>
    [[nodiscard]] std::optional<T> load(std::uint64_t at) const {
        const auto bytes = source->load(at, sizeof(T));
        if (!bytes) return std::nullopt;
        return Cursor(ByteView(bytes->span())).structure<T>();
    }

    /// A MINIDUMP_STRING.
    void string(std::uint64_t rva, std::string label) {
        if (rva == 0) return;
        const auto length = load<Le32>(rva);
        if (!length) return;
        // With its terminator, where there is one.
        const std::uint64_t size = sizeof(Le32) + *length;
        const auto end = load<Le16>(rva + size);
        const bool terminated = end && *end == 0;
        out.structure(textSpec("MINIDUMP_STRING"), rva, std::move(label),
                      size + (terminated ? 2 : 0));
    }

    /// `count` structures, one behind the other, each `stride` bytes. Returns how many from the
    /// first on are there and are not part of something else already.
    std::uint64_t list(std::string_view spec, std::uint64_t at, std::uint64_t count,
                       std::uint64_t stride, const std::string& label) {
        bool whole = true;
        std::uint64_t claimed = 0;
        for (std::uint64_t i = 0; i < std::min(count, mostEntries); ++i) {
            const std::uint64_t offset = at + i * stride;
            if (offset >= source->size()) break;
            whole = out.structure(textSpec(spec), offset, fmt::format("{}.{}", label, i)) && whole;
            if (whole) ++claimed;
        }
        return claimed;
    }

    template <class T, class Use>
    void entries(std::uint64_t at, std::uint64_t count, std::uint64_t stride, Use use) {
        if (stride < sizeof(T)) return;
        for (std::uint64_t i = 0; i < std::min(count, mostEntries); ++i) {
            const auto raw = load<T>(at + i * stride);
            if (!raw) return;
            use(i, *raw);
        }
    }

    /// A 32-bit count, padding where the stream's size tells of it, then entries of type T. Only
    /// entries that were not shown before are followed: lists that overlap in a hostile file
    /// multiply nothing.
    template <class T, class Use>
    void counted(const StreamEntry& entry, std::string_view spec, const std::string& label,
                 Use use) {
        const auto count = load<Le32>(entry.rva);
        if (!count) return;
        if (!out.structure(textSpec("Count"), entry.rva, label)) return;
        const bool padded = entry.size == std::uint64_t{*count} * sizeof(T) + 8;
        const std::uint64_t at = entry.rva + (padded ? 8ULL : 4ULL);
        entries<T>(at, list(spec, at, *count, sizeof(T), label), sizeof(T), use);
    }

    template <class HeaderType>
    void sized(const StreamEntry& entry, std::string_view headerSpec, std::string_view spec,
               const std::string& label) {
        const auto header = load<HeaderType>(entry.rva);
        if (!header) return;
        out.structure(textSpec(headerSpec), entry.rva, label);
        const std::uint64_t stride =
            std::max<std::uint64_t>(header->entrySize, textSpec(spec).fixedSize());
        list(spec, entry.rva + header->headerSize, header->count, stride, label);
    }
};

// Streams of describe_system.cpp.
void describeMiscInfo(Describing& to, const StreamEntry& entry);
void describeSystemMemory(Describing& to, const StreamEntry& entry);
void describeVmCounters(Describing& to, const StreamEntry& entry);
void describeTokens(Describing& to, const StreamEntry& entry);
void describeHandles(Describing& to, const StreamEntry& entry);
void describeHandleOperations(Describing& to, const StreamEntry& entry);
void describeFunctionTables(Describing& to, const StreamEntry& entry);
void describeMacCrashInfo(Describing& to, const StreamEntry& entry);
void describeCrashpad(Describing& to, const StreamEntry& entry);

}  // namespace icecore::minidump
