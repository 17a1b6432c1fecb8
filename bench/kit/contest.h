// What tools that are put side by side have in common.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "kit/samples.h"

namespace icecore::bench {

/// What one tool took, run by run; `failure` says why it does not count.
struct Measured {
    Samples seconds, memory;
    std::string failure;
};

/// How often `word` stands in `text`: whether a tool has answered all that it was asked.
inline std::size_t occurrences(std::string_view text, std::string_view word) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(word, at)) != std::string_view::npos;
         at += word.size())
        ++count;
    return count;
}

}  // namespace icecore::bench
