#include "views/address_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "base/text.h"
#include "views/html_text.h"

namespace icecore {

namespace {

constexpr double pageWidth = 1120;
constexpr double labelWidth = 150;
constexpr double barHeight = 20;
constexpr double rowHeight = 44;
constexpr std::size_t mostBlocks = 2000;

/// Neighbouring regions of one kind and name drawn as one.
struct Block {
    Range range;
    std::string_view name;
    std::string_view style;  ///< CSS class
    std::string protection;
    double width = 0;
};

struct Row {
    std::vector<Block> blocks;
    [[nodiscard]] Range range() const {
        return Range::between(blocks.front().range.begin(), blocks.back().range.end());
    }
};

struct Mark {
    std::uint64_t address;
    std::string text;
    std::string_view style;
};

std::string_view styleOf(const Region& region) {
    if (!region.protection.read && !region.protection.write && !region.protection.execute)
        return "guard";
    switch (region.kind) {
    case RegionKind::image: return region.protection.execute ? "code" : "image";
    case RegionKind::heap: return "heap";
    case RegionKind::stack: return "stack";
    case RegionKind::file: return "file";
    case RegionKind::shared: return "shared";
    case RegionKind::vdso:
    case RegionKind::special: return "special";
    default: return "anon";
    }
}

std::string protectionOf(const Region& region) {
    std::string text = region.protection.read ? "r" : "-";
    text += region.protection.write ? 'w' : '-';
    text += region.protection.execute ? 'x' : '-';
    return text;
}

/// What is known of the address space: the dump's regions, or, where it lists none (Windows'
/// smaller minidumps, kernels), its modules, stacks and whatever memory was captured.
std::vector<Region> regionsOf(const Process& process) {
    if (!process.regions.empty()) return process.regions.items;
    std::vector<Region> regions;
    const auto add = [&](Range range, RegionKind kind, std::string name) {
        if (range.empty()) return;
        Region region;
        region.range = range;
        region.kind = kind;
        region.name = std::move(name);
        region.protection.read = true;
        regions.push_back(std::move(region));
    };
    for (const Module& module : process.modules)
        add(module.range, RegionKind::image, std::string(module.fileName()));
    for (const Thread& thread : process.threads) {
        if (thread.stack)
            add(*thread.stack, RegionKind::stack, fmt::format("stack of thread {}", thread.id));
    }
    // Small dumps hold many little pieces: those that lie close together are one.
    constexpr std::uint64_t close = 16 << 20;
    std::optional<Range> piece;
    std::size_t count = 0;
    const auto flush = [&] {
        if (piece && regions.size() < mostBlocks)
            add(*piece, RegionKind::anonymous, fmt::format("captured, in {} pieces", count));
    };
    for (const Extent& extent : process.memory->extents(Range::all())) {
        if (extent.absence != Absence::none) continue;
        if (piece && extent.range.begin() - piece->end() < close) {
            piece = Range::between(piece->begin(), extent.range.end());
            ++count;
            continue;
        }
        flush();
        piece = extent.range;
        count = 1;
    }
    flush();
    // Modules and stacks keep what the captured pieces cover too.
    RangeMap<std::size_t> map;
    for (std::size_t i = 0; i < regions.size(); ++i)
        map.add(regions[i].range, i);
    map.seal();
    std::vector<Region> disjoint;
    for (const auto& entry : map.entries()) {
        disjoint.push_back(regions[entry.value]);
        disjoint.back().range = entry.range;
    }
    return disjoint;
}

std::vector<Block> blocksOf(const std::vector<Region>& regions) {
    std::vector<Block> blocks;
    for (const Region& region : regions) {
        if (region.kind == RegionKind::free || region.kind == RegionKind::reserved) continue;
        const std::string_view style = styleOf(region);
        const bool joins = !blocks.empty() && blocks.back().range.end() == region.range.begin() &&
                           blocks.back().style == style && blocks.back().name == region.name;
        if (joins) {
            blocks.back().range = Range::between(blocks.back().range.begin(), region.range.end());
            continue;
        }
        if (blocks.size() == mostBlocks) break;
        blocks.push_back({region.range, region.name, style, protectionOf(region), 0});
    }
    for (Block& block : blocks) {
        const auto pages = static_cast<double>(block.range.size()) / 4096;
        block.width = 6 + 5 * std::log2(1 + pages);
    }
    return blocks;
}

/// Rows break at wide gaps and at the page's edge.
std::vector<Row> rowsOf(std::vector<Block> blocks) {
    constexpr std::uint64_t wideGap = 64 << 20;
    std::vector<Row> rows;
    double used = 0;
    for (Block& block : blocks) {
        const bool gap = !rows.empty() && block.range.begin() - rows.back().range().end() > wideGap;
        if (rows.empty() || gap || used + block.width > pageWidth - labelWidth) {
            rows.emplace_back();
            used = 0;
        }
        used += block.width + 1;
        rows.back().blocks.push_back(std::move(block));
    }
    return rows;
}

std::vector<Mark> marksOf(const Process& process, const Analysis& analysis) {
    std::vector<Mark> marks;
    if (analysis.fault && analysis.fault->address)
        marks.push_back(
            {*analysis.fault->address, "fault " + hex(*analysis.fault->address), "mark-bad"});
    const Thread* thread =
        analysis.verdict.thread ? process.thread(*analysis.verdict.thread) : nullptr;
    if (thread != nullptr && thread->context) {
        const Registers& registers = thread->context->registers;
        marks.push_back({registers.pc(), "pc", "mark"});
        marks.push_back({registers.sp(), "sp", "mark"});
    }
    return marks;
}

std::string drawRow(const Row& row, double y, const std::vector<Mark>& marks,
                    std::vector<bool>& drawn) {
    std::string svg = fmt::format("<text class=\"label\" x=\"0\" y=\"{:.0f}\">{}</text>\n", y + 14,
                                  hex(row.range().begin()));
    double x = labelWidth;
    for (const Block& block : row.blocks) {
        const std::string title =
            fmt::format("{} – {}  {}  {}  {}", hex(block.range.begin()), hex(block.range.end()),
                        humanBytes(block.range.size()), block.protection, block.name);
        svg += fmt::format(
            "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.0f}\" width=\"{:.1f}\" "
            "height=\"{:.0f}\"><title>{}</title></rect>\n",
            block.style, x, y, block.width, barHeight, escapeHtml(title));
        double shift = 0;
        for (std::size_t i = 0; i < marks.size(); ++i) {
            if (!block.range.contains(marks[i].address)) continue;
            drawn[i] = true;
            const double part = static_cast<double>(marks[i].address - block.range.begin()) /
                                static_cast<double>(block.range.size());
            const double at = x + part * block.width;
            svg += fmt::format(
                "<path class=\"{0}\" d=\"M{1:.1f} {2:.0f}v-6\"/>"
                "<text class=\"{0}\" x=\"{3:.1f}\" y=\"{4:.0f}\">{5}</text>\n",
                marks[i].style, at, y, at + 2 + shift, y - 7, escapeHtml(marks[i].text));
            shift += 8.0 * static_cast<double>(marks[i].text.size());
        }
        x += block.width + 1;
    }
    return svg;
}

}  // namespace

std::string addressMapSvg(const Process& process, const Analysis& analysis) {
    // Blocks show the regions' names and do not own them.
    const std::vector<Region> regions = regionsOf(process);
    const std::vector<Row> rows = rowsOf(blocksOf(regions));
    if (rows.empty()) return {};
    const std::vector<Mark> marks = marksOf(process, analysis);
    std::vector<bool> drawn(marks.size(), false);
    std::string body;
    double y = 22;
    for (const Row& row : rows) {
        body += drawRow(row, y, marks, drawn);
        y += rowHeight;
    }
    for (std::size_t i = 0; i < marks.size(); ++i) {
        if (drawn[i]) continue;
        body += fmt::format(
            "<text class=\"{}\" x=\"0\" y=\"{:.0f}\">{}: nothing is mapped there</text>\n",
            marks[i].style, y, escapeHtml(marks[i].text));
        y += 18;
    }
    return fmt::format(
        "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
        "aria-label=\"address space\">\n{}</svg>\n",
        pageWidth, y, body);
}

}  // namespace icecore
