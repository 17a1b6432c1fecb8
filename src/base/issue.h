// Damage that did not stop the reading.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace icecore {

/// How much an Issue takes away from what the reader sees.
enum class Severity {
    note,  ///< odd, nothing lost
    loss,  ///< something is missing or could not be understood
};

/// A reader returns a model PLUS its issues, and fails only when nothing is readable.
struct Issue {
    Severity severity = Severity::loss;
    std::string message;
    std::string where;  ///< file or space and offset or address; may be empty

    bool operator==(const Issue&) const = default;

    /// "message (where)".
    [[nodiscard]] std::string describe() const {
        return where.empty() ? message : message + " (" + where + ")";
    }
};

/// Issues gathered while reading. A hostile file can cause millions: beyond `limit` they are
/// counted, not kept.
class Issues {
public:
    static constexpr std::size_t limit = 200;

    void add(Severity severity, std::string message, std::string where = {}) {
        if (severity == Severity::loss) lossy_ = true;
        if (items_.size() < limit)
            items_.push_back({severity, std::move(message), std::move(where)});
        else
            ++dropped_;
    }
    void note(std::string message, std::string where = {}) {
        add(Severity::note, std::move(message), std::move(where));
    }
    void loss(std::string message, std::string where = {}) {
        add(Severity::loss, std::move(message), std::move(where));
    }
    void loss(const Error& error) { add(Severity::loss, error.describe()); }
    void append(const Issues& other) {
        for (const Issue& issue : other.items_)
            add(issue.severity, issue.message, issue.where);
        dropped_ += other.dropped_;
    }

    [[nodiscard]] const std::vector<Issue>& items() const { return items_; }
    [[nodiscard]] std::size_t dropped() const { return dropped_; }
    [[nodiscard]] bool empty() const { return items_.empty(); }
    [[nodiscard]] bool lossy() const { return lossy_; }
    bool operator==(const Issues&) const = default;

private:
    std::vector<Issue> items_;
    std::size_t dropped_ = 0;
    bool lossy_ = false;
};

}  // namespace icecore
