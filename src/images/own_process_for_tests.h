// The test program itself, seen as a dump would show it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>

#include "base/text.h"
#include "model/process.h"

namespace icecore::tests {

/// The memory of the test program itself.
class OwnMemory final : public AddressSpace {
public:
    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        const std::scoped_lock lock(mutex_);
        std::ifstream file("/proc/self/mem", std::ios::binary);
        file.seekg(static_cast<std::streamoff>(address));
        file.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
        const auto got = static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0));
        return {got, got == out.size() ? Absence::none : Absence::not_mapped};
    }
    [[nodiscard]] std::vector<Extent> extents(Range) const override { return {}; }
    [[nodiscard]] std::string explain(std::uint64_t) const override { return "own memory"; }

private:
    mutable std::mutex mutex_;
};

/// The test program, as a dump of it would show it.
inline Process ourselves() {
    Process process;
    process.system.arch = sizeof(void*) == 8 ? Arch::x86_64 : Arch::x86;
    process.memory = std::make_shared<OwnMemory>();
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        const auto fields = splitBlanks(line);
        const auto ends = split(fields[0], '-');
        Region region;
        region.range = Range::between(*parseHex(ends[0]), *parseHex(ends[1]));
        region.protection = {fields[1][0] == 'r', fields[1][1] == 'w', fields[1][2] == 'x', false};
        region.fileOffset = *parseHex(fields[2]);
        // A name may have blanks: all from its first word on.
        if (fields.size() > 5)
            region.name = line.substr(static_cast<std::size_t>(fields[5].data() - line.data()));
        if (region.name == "[vvar]" || region.name == "[vsyscall]" ||
            region.name == "[vvar_vclock]")
            region.kind = RegionKind::special;
        process.regions.items.push_back(region);
    }
    std::ifstream auxv("/proc/self/auxv", std::ios::binary);
    std::uint64_t pair[2];
    while (auxv.read(reinterpret_cast<char*>(pair), sizeof pair))
        process.auxv.emplace_back(pair[0], pair[1]);
    process.executable = std::filesystem::read_symlink("/proc/self/exe").string();
    return process;
}

}  // namespace icecore::tests
