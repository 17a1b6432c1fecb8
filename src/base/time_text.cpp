#include "base/time_text.h"

#include <fmt/format.h>

namespace icecore {

namespace {

using TimePoint = std::chrono::sys_time<std::chrono::nanoseconds>;

/// By the calendar of <chrono>, which no moment can make fail.
std::string dateAndTime(TimePoint time, char between) {
    const auto whole =
        std::chrono::floor<std::chrono::seconds>(time);  // days in nanoseconds overflow
    const auto day = std::chrono::floor<std::chrono::days>(whole);
    const std::chrono::year_month_day date(day);
    const auto seconds = (whole - day).count();
    return fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       between, seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace

std::string isoTime(TimePoint time) {
    return dateAndTime(time, 'T') + "Z";
}
std::string timeText(TimePoint time) {
    return dateAndTime(time, ' ') + " UTC";
}

}  // namespace icecore
