// What a checkpoint says: where the memory lies, and the registers.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/issue.h"
#include "base/range.h"
#include "bytes/source.h"

namespace icecore::vmware {

struct Region {
    Range physical;
    std::uint64_t offset = 0;  ///< in the memory's bytes
};

struct Cpu {
    std::map<std::string, std::uint64_t> registers;  ///< by the file's own names: "rax", "eflags"
    std::array<std::optional<std::uint64_t>, 9> control{};  ///< CR0 to CR8
};

struct Checkpoint {
    std::vector<Region> regions;    ///< none: the memory's bytes are physical memory from 0 on
    std::optional<Range> memory;    ///< where in the file its bytes lie, when they lie in it
    bool compressedMemory = false;  ///< they do, in a compression of VMware's own
    std::vector<Cpu> cpus;
};

bool isCheckpoint(const Source& file);
/// Reads the groups "memory" and "cpu". What cannot be read of them is told.
Result<Checkpoint> readCheckpoint(const Source& file, Issues& issues);

}  // namespace icecore::vmware
