// Repeated measurements of one thing.
#pragma once

#include <algorithm>
#include <vector>

namespace icecore::bench {

/// In the order they were taken. Everything reported is the median: one disturbed run of several
/// does not move it.
class Samples {
public:
    void add(double value) { values_.push_back(value); }
    [[nodiscard]] bool empty() const { return values_.empty(); }
    [[nodiscard]] const std::vector<double>& values() const { return values_; }
    /// 0 when there is none.
    [[nodiscard]] double median() const {
        if (values_.empty()) return 0;
        std::vector<double> sorted = values_;
        std::ranges::sort(sorted);
        const std::size_t middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

private:
    std::vector<double> values_;
};

}  // namespace icecore::bench
