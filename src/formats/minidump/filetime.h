// FILETIME: 100 nanoseconds since 1601-01-01, UTC.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "model/process.h"

namespace icecore::minidump {

using FileTimeUnits = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;
inline constexpr std::int64_t fileTimeOfUnixEpoch = 116'444'736'000'000'000;

/// Nothing for 0 and for what lies outside the years our clock can hold.
inline std::optional<TimePoint> fromFileTime(std::uint64_t value) {
    // 2^63 nanoseconds reach to the year 2262, and as far back from 1970.
    constexpr std::int64_t limit = INT64_MAX / 100;
    if (value == 0 || value > INT64_MAX) return std::nullopt;
    const std::int64_t units = static_cast<std::int64_t>(value) - fileTimeOfUnixEpoch;
    if (units > limit || units < -limit) return std::nullopt;
    return TimePoint(FileTimeUnits(units));
}
inline std::uint64_t toFileTime(TimePoint time) {
    return static_cast<std::uint64_t>(
        std::chrono::floor<FileTimeUnits>(time).time_since_epoch().count() + fileTimeOfUnixEpoch);
}
/// A length of time in the same units.
inline std::chrono::nanoseconds fromFileDuration(std::uint64_t value) {
    constexpr std::uint64_t limit = INT64_MAX / 100;
    return FileTimeUnits(static_cast<std::int64_t>(value < limit ? value : limit));
}
inline std::uint64_t toFileDuration(std::chrono::nanoseconds time) {
    return static_cast<std::uint64_t>(std::chrono::floor<FileTimeUnits>(time).count());
}

}  // namespace icecore::minidump
