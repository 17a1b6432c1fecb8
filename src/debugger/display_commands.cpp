// db dw dd dq dc df dD da du, d.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/memory_read.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

struct Layout {
    std::string_view name;
    std::size_t unit;   ///< bytes of one value; 0: a pointer
    std::size_t width;  ///< bytes on one line
    std::size_t count;  ///< values without an L
    bool text;          ///< with the text column
};
constexpr std::array<Layout, 7> layouts = {{
    {"db", 1, 16, 128, true},
    {"dw", 2, 16, 64, false},
    {"dW", 2, 16, 64, true},
    {"dd", 4, 16, 32, false},
    {"dc", 4, 16, 32, true},
    {"dq", 8, 16, 16, false},
    {"dp", 0, 16, 16, false},
}};

/// Where a display begins: the argument, or where the last one ended, or the program counter.
Result<ObjectRange> takeDisplayRange(CommandCall& call, std::size_t unit) {
    ObjectRange range;
    if (call.arguments.empty()) {
        range.address = call.session.nextData.value_or(call.session.registers().pc());
        return range;
    }
    ASSIGN_OR_RETURN(range, call.arguments.takeRange(unit));
    TRY(call.arguments.finish());
    return range;
}

void showValues(CommandCall& call, const Layout& layout, const ObjectRange& range) {
    const std::size_t unit = layout.unit == 0 ? call.session.pointerSize() : layout.unit;
    const std::uint64_t bytes = range.count.value_or(layout.count) * unit;
    std::uint64_t done = 0;
    while (done < bytes && !call.session.interrupted()) {
        // A line at a time: however much is asked for, memory stays small and ^C is heard.
        const auto width =
            static_cast<std::size_t>(std::min<std::uint64_t>(bytes - done, layout.width));
        const std::uint64_t at = range.address + done;
        const PatchyBytes line(call.session.memory(), at, width);
        call.out.print("{}  {}\n", addressText(call.session, at),
                       valuesText(line, 0, layout.width, unit, layout.text));
        done += width;
    }
    call.session.nextData = range.address + done;
}

std::string floatText(std::uint64_t bits, std::size_t size) {
    return size == 4 ? fmt::format("{:.8g}", std::bit_cast<float>(static_cast<std::uint32_t>(bits)))
                     : fmt::format("{:.16g}", std::bit_cast<double>(bits));
}

/// df and dD: numbers in columns as wide as WinDbg's.
void showFloats(CommandCall& call, std::size_t size, const ObjectRange& range) {
    const std::size_t perLine = size == 4 ? 4 : 3;
    const std::uint64_t count = range.count.value_or(size == 4 ? 16 : 15);
    for (std::uint64_t i = 0; i < count && !call.session.interrupted(); i += perLine) {
        const std::uint64_t here = std::min<std::uint64_t>(perLine, count - i);
        const PatchyBytes line(call.session.memory(), range.address + i * size, here * size);
        std::string text = addressText(call.session, range.address + i * size) + " ";
        for (std::size_t n = 0; n < here; ++n) {
            const auto value = line.integer(n * size, size);
            text += fmt::format(" {:>{}}", value ? floatText(*value, size) : "????????",
                                size == 4 ? 16 : 22);
        }
        call.out.write(text + "\n");
    }
    call.session.nextData = range.address + count * size;
}

/// da and du: text up to a NUL, cut into lines.
void showText(CommandCall& call, std::size_t size, const ObjectRange& range) {
    const std::size_t perLine = size == 1 ? 48 : 32;
    constexpr std::uint64_t mostCharacters = 0x4000;
    const std::uint64_t limit = range.count.value_or(mostCharacters);
    std::uint64_t at = range.address;
    bool ended = false;
    for (std::uint64_t done = 0; done < limit && !ended && !call.session.interrupted();) {
        const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(perLine, limit - done));
        const PatchyBytes line(call.session.memory(), at, here * size);
        std::string text;
        std::u16string wide;
        std::size_t taken = 0;
        for (; taken < here; ++taken) {
            const auto unit = line.integer(taken * size, size);
            if (unit == std::uint64_t{0}) {
                ended = true;
                break;
            }
            if (!unit) {
                // Nothing readable: one line of question marks stands for it.
                if (taken == 0) text.assign(here, '?');
                ended = true;
                break;
            }
            if (size == 1) text += *unit >= 0x20 && *unit < 0x7f ? static_cast<char>(*unit) : '.';
            if (size == 2) wide += *unit >= 0x20 ? static_cast<char16_t>(*unit) : u'.';
        }
        if (size == 2) text += printable(utf16ToUtf8(wide));
        call.out.print("{}  \"{}\"\n", addressText(call.session, at), text);
        at += taken * size;
        done += std::max<std::size_t>(taken, 1);
    }
    call.session.nextData = at + size;
}

}  // namespace

Result<void> displayMemory(CommandCall& call) {
    call.session.lastDisplay = std::string(call.name);
    if (call.name == "da" || call.name == "du") {
        const std::size_t size = call.name == "da" ? 1 : 2;
        ASSIGN_OR_RETURN(const ObjectRange range, takeDisplayRange(call, size));
        showText(call, size, range);
        return {};
    }
    if (call.name == "df" || call.name == "dD") {
        const std::size_t size = call.name == "df" ? 4 : 8;
        ASSIGN_OR_RETURN(const ObjectRange range, takeDisplayRange(call, size));
        showFloats(call, size, range);
        return {};
    }
    const auto* layout = std::ranges::find(layouts, call.name, &Layout::name);
    if (layout == layouts.end())
        return fail(Errc::internal, "no layout for " + std::string(call.name));
    const std::size_t unit = layout->unit == 0 ? call.session.pointerSize() : layout->unit;
    ASSIGN_OR_RETURN(const ObjectRange range, takeDisplayRange(call, unit));
    showValues(call, *layout, range);
    return {};
}

Result<void> displayAgain(CommandCall& call) {
    const FoundCommand last = findCommand(call.session.lastDisplay);
    if (last.command == nullptr) return fail(Errc::internal, "nothing to repeat");
    call.name = last.command->name;
    return last.command->run(call);
}

}  // namespace icecore::debugger
