// Performance counters by the names Windows gives them, mapped onto what the system counts.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace icecore::monitor {

/// "\OBJECT(INSTANCE)\COUNTER", or without an instance. Windows' names are not case-sensitive.
struct CounterPath {
    std::string object, instance, counter;
    bool operator==(const CounterPath&) const = default;
};
/// Errc::usage for what is no such path.
Result<CounterPath> parseCounterPath(std::string_view text);

struct CounterValue {
    std::string path;             ///< as it can be given to --counter
    std::string help;             ///< where it comes from
    std::optional<double> value;  ///< nothing: not on this system, or not yet (rates)
};

/// The counters of one process and of the system it runs on. Rates and percentages are those since
/// the last `read` of the same counter; the first has none.
class CounterSource {
public:
    virtual ~CounterSource() = default;
    /// Errc::not_found: there is no such counter, or its instance is another process.
    virtual Result<std::optional<double>> read(const CounterPath& path) = 0;
    /// Every counter with its value; rates are measured over `time`.
    virtual std::vector<CounterValue> all(std::chrono::milliseconds time) = 0;
};

/// Of a running process; `name` is what it is called in paths.
std::unique_ptr<CounterSource> openCounters(std::uint64_t pid, std::string name);

}  // namespace icecore::monitor
