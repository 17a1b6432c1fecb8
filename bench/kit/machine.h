// The machine that figures were taken on. No names of hosts or people.
#pragma once

#include <cstdint>
#include <string>

namespace icecore::bench {

struct Machine {
    std::string cpu;           ///< model name
    unsigned cores = 0;        ///< online CPUs
    std::uint64_t memory = 0;  ///< bytes
    std::string kernel;        ///< "Linux 6.1.0"
    std::string disk;          ///< of a directory: file system, device kind
    std::string date;          ///< UTC, "2026-01-31"
    double load = 0;           ///< runnable tasks over the last minute, when asked
};

Machine describeMachine(const std::string& directory);

}  // namespace icecore::bench
