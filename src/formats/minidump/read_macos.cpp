// What dumps of macOS carry besides: the words that libraries left for the crash reporter, and how
// the kernel was started.
#include <algorithm>
#include <array>

#include "formats/minidump/reading.h"

namespace icecore::minidump {

namespace {

constexpr std::string_view what = "macOS' crash information";

/// The texts of a record, one behind the other, each with its NUL.
std::string texts(ByteView bytes) {
    constexpr std::array<std::string_view, 5> names = {"module", "message", "signature",
                                                       "backtrace", "message2"};
    std::string lines;
    std::string_view left(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (const std::string_view name : names) {
        const std::string_view text = left.substr(0, left.find('\0'));
        left.remove_prefix(std::min(left.size(), text.size() + 1));
        if (!text.empty()) lines += fmt::format("{}: {}\n", name, text);
    }
    return lines;
}

}  // namespace

void readMacCrashInfo(Reading& reading, ByteView content) {
    Cursor cursor(content);
    const auto raw = cursor.structure<MacCrashInfo>();
    if (!cursor.ok()) return reading.issues.loss(std::string(what) + " is cut", content.where());
    const std::size_t count = std::min<std::size_t>(raw.recordCount, std::size(raw.records));
    if (count < raw.recordCount)
        reading.issues.loss(
            fmt::format("{}: {} records promised, room for {}", what, raw.recordCount + 0U, count),
            content.where());
    std::string lines;
    for (const Location& place : std::span(raw.records).first(count)) {
        if (place.size == 0) continue;
        const SharedBytes bytes = reading.load(place.rva, place.size, what);
        std::array<std::byte, sizeof(MacCrashRecord)> start{};  // older ones end before
        const std::size_t known =
            std::min<std::size_t>({bytes.size(), raw.recordStart, start.size()});
        std::ranges::copy(bytes.span().first(known), start.begin());
        const auto record = Cursor(ByteView(start)).structure<MacCrashRecord>();
        if (record.thread != 0) lines += fmt::format("thread: {:#x}\n", record.thread + 0U);
        if (record.abortCause != 0)
            lines += fmt::format("abort cause: {:#x}\n", record.abortCause + 0U);
        lines += texts(reading.view(bytes, place.rva).slice(raw.recordStart));
    }
    if (!lines.empty())
        reading.snapshot.attachments.push_back(
            {"macos/crash_info", SharedBytes::own(std::move(lines))});
}

void readMacBootArguments(Reading& reading, ByteView content) {
    Cursor cursor(content);
    const auto raw = cursor.structure<MacBootArguments>();
    if (!cursor.ok()) return reading.issues.loss("macOS' boot arguments are cut", content.where());
    std::string text = reading.string(raw.textRva, "macOS' boot arguments");
    if (!text.empty())
        reading.snapshot.attachments.push_back(
            {"macos/boot_arguments", SharedBytes::own(std::move(text))});
}

}  // namespace icecore::minidump
