// A program database (PDB): names, lines and inlined calls of one image, by address.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "symbols/module_reader.h"
#include "symbols/pdb/dbi_stream.h"
#include "symbols/pdb/global_symbols.h"
#include "symbols/pdb/msf_file.h"
#include "symbols/pdb/object_symbols.h"
#include "symbols/pdb/type_table.h"
#include "symbols/pdb/user_type.h"
#include "symbols/stack_rules.h"
#include "symbols/type_source.h"

namespace icecore::pdb {

/// What an image's CodeView record is compared with.
struct PdbIdentity {
    std::array<std::byte, 16> guid{};
    std::uint32_t signature = 0;  ///< a time, before there were GUIDs
    std::uint32_t age = 0;        ///< of the list of modules: what the linker wrote into the image
    std::uint32_t fileAge = 0;    ///< of the file: tools that add to a PDB (pdbstr) raise this one
    /// GUID and age in upper-case hex as symbol stores spell them.
    [[nodiscard]] std::string id() const;
    /// Whether an image that records `wanted` was linked with this PDB.
    [[nodiscard]] bool matches(std::string_view wanted) const;
};

/// Opened over the mapped file: what a question does not need is not touched. Thread-safe.
/// Addresses are relative to the image's base, as it is now (see AddressMap).
class PdbFile {
public:
    static Result<std::shared_ptr<const PdbFile>> open(std::shared_ptr<const Source> source);

    [[nodiscard]] const std::string& name() const { return msf_->name(); }
    [[nodiscard]] const PdbIdentity& identity() const { return identity_; }
    [[nodiscard]] std::uint16_t machine() const { return dbi_->header().machine; }
    /// /PDBSTRIPPED: public names alone are left.
    [[nodiscard]] bool stripped() const { return dbi_->stripped(); }
    /// /DEBUG:FASTLINK: types, lines and local symbols stayed in the object files.
    [[nodiscard]] bool fastLink() const { return fastLink_; }
    /// What is not in this file for one of the two reasons, as a sentence; empty otherwise.
    [[nodiscard]] std::string limits() const;

    [[nodiscard]] ModuleReader::Located locate(std::uint32_t address, bool isReturnAddress) const;
    [[nodiscard]] std::optional<ModuleReader::Named> nearest(std::uint32_t address) const;
    void find(std::string_view pattern, std::size_t limit,
              std::vector<ModuleReader::Named>& out) const;
    [[nodiscard]] std::optional<ModuleReader::Named> byName(std::string_view name) const;
    /// Reads every public symbol and indexes the functions and lines of every object file: how many
    /// there are, and of how many bytes of records. For measuring.
    struct Totals {
        std::uint64_t publics = 0, functions = 0, bytes = 0;
    };
    [[nodiscard]] Totals countAll() const;

    /// How the x86 function at an address lays out its stack.
    [[nodiscard]] std::optional<FrameLayout> frameLayout(std::uint32_t address) const;
    [[nodiscard]] const TypeTable& types() const { return types_; }
    [[nodiscard]] const TypeTable& ids() const { return ids_; }
    /// Index of the complete type of that name ("ns::Class", "_PEB").
    [[nodiscard]] std::optional<std::uint32_t> typeByName(std::string_view name) const;
    /// The complete record of a type that is only declared.
    [[nodiscard]] std::optional<std::uint32_t> completeType(const UserType& declared) const;
    /// Type of a global or static variable by its name.
    [[nodiscard]] std::optional<std::uint32_t> dataType(std::string_view name) const;
    /// Every name that S_UDT gives to a type; `visit` returns false to stop.
    void typedefs(const std::function<bool(std::string_view)>& visit) const;
    /// Variables in scope at an address, the innermost block's first. `level` counts functions as
    /// locate() lists them. Those with an address have it relative to the image's base.
    [[nodiscard]] std::vector<Variable> variablesAt(std::uint32_t address, std::size_t level) const;
    /// The stream of that name ("/names", "srcsrv"), or an empty one.
    [[nodiscard]] MsfStream namedStream(std::string_view name) const;
    [[nodiscard]] const DbiStream& dbi() const { return *dbi_; }

    struct FileChecksum {
        std::string file;
        std::string kind;  ///< "MD5", "SHA-1", "SHA-256"; empty: none
        std::string hex;
    };
    /// The checksum of the source file that is recorded for the code at `address`.
    [[nodiscard]] std::optional<FileChecksum> checksumAt(std::uint32_t address) const;

private:
    PdbFile() = default;
    [[nodiscard]] Result<void> readInfo();
    [[nodiscard]] std::shared_ptr<const ObjectSymbols> object(std::uint32_t module) const;
    [[nodiscard]] std::string text(std::uint32_t offset) const;
    [[nodiscard]] std::string fileName(const ObjectSymbols& object, std::uint32_t file) const;
    [[nodiscard]] std::string inlineeName(std::uint32_t id) const;
    [[nodiscard]] std::string publicName(std::string_view raw) const;
    [[nodiscard]] std::optional<ModuleReader::Named> named(const GlobalSymbol& symbol) const;
    [[nodiscard]] std::optional<ModuleReader::Named> publicAt(std::uint32_t linked,
                                                              bool codeOnly) const;

    std::unique_ptr<const MsfFile> msf_;
    PdbIdentity identity_;
    bool fastLink_ = false;
    std::unique_ptr<const DbiStream> dbi_;
    MsfStream names_;
    TypeTable types_, ids_;
    PublicTable publics_;
    NameHash globals_;

    /// Object files that were asked about. Forgotten when they come to take too much memory.
    struct Cache {
        std::mutex mutex;
        std::unordered_map<std::uint32_t, std::shared_ptr<const ObjectSymbols>> objects;
        std::uint64_t memory = 0;
    };
    mutable Cache cache_;
};

}  // namespace icecore::pdb
