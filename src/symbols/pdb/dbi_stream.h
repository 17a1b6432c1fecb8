// The PDB's table of contents: modules (object files), what each contributed to which section, and
// the numbers of the other streams.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/pdb/address_map.h"
#include "symbols/pdb/msf_file.h"
#include "symbols/pdb/pdb_layout.h"

namespace icecore::pdb {

struct ObjectModule {
    std::uint16_t stream = noStream;
    std::uint32_t symbolSize = 0, c11Size = 0, c13Size = 0;  ///< parts of its stream, bytes
    std::string_view name;                                   ///< "d:\obj\a.obj", "* Linker *"
    std::string_view objectFile;                             ///< the library it comes from
};

/// Thread-safe; the list of modules and the contributions are read at the first question.
class DbiStream {
public:
    /// Issues name what is damaged; what is left is answered.
    static Result<std::unique_ptr<const DbiStream>> open(const MsfFile& file);

    [[nodiscard]] const DbiHeader& header() const { return header_; }
    [[nodiscard]] bool stripped() const { return (header_.flags & dbiStripped) != 0; }
    [[nodiscard]] const AddressMap& addresses() const { return addresses_; }
    /// The stream of the optional debug header; empty when there is none.
    [[nodiscard]] MsfStream debugStream(DebugStream which) const;
    [[nodiscard]] const std::vector<ObjectModule>& modules() const;
    /// Index of the module that contributed what is at a place.
    [[nodiscard]] std::optional<std::uint32_t> moduleAt(AddressMap::Place place) const;

private:
    DbiStream() = default;
    void readModules() const;
    [[nodiscard]] std::optional<Contribution> contribution(std::uint64_t index) const;
    [[nodiscard]] std::uint64_t contributionCount() const;
    void sortContributions() const;

    const MsfFile* file_ = nullptr;
    MsfStream stream_;
    DbiHeader header_;
    std::array<std::uint16_t, debugStreamCount> debugStreams_{};
    AddressMap addresses_;
    std::uint64_t contributionsAt_ = 0;
    std::uint32_t contributionSize_ = 0;  ///< bytes of one; 0: a version that we do not know

    mutable std::once_flag modulesOnce_;
    mutable SharedBytes moduleBytes_;
    mutable std::vector<ObjectModule> modules_;

    struct Piece {
        std::uint64_t key = 0;  ///< section and offset
        std::uint32_t size = 0;
        std::uint16_t module = 0;
    };
    mutable std::once_flag sortOnce_;
    mutable std::vector<Piece> sorted_;  ///< only where the file's own order is wrong
};

}  // namespace icecore::pdb
