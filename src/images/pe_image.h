// A PE file, from disk or out of a dump's memory: headers, sections, exports, identity.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/registers.h"
#include "base/error.h"
#include "base/issue.h"
#include "base/range.h"
#include "bytes/source.h"
#include "memory/address_space.h"

namespace icecore {

struct PeSection {
    std::string name;
    std::uint32_t address = 0, virtualSize = 0;  ///< as loaded, relative to the image's base
    std::uint32_t offset = 0, fileSize = 0;      ///< in the file
    std::uint32_t characteristics = 0;
};

struct PeExport {
    std::uint32_t ordinal = 0;
    std::uint32_t address = 0;  ///< relative to the image's base
    std::string name;           ///< empty: by ordinal alone
    std::string forwarder;      ///< "NTDLL.RtlAllocateHeap"; empty: it is in this image
};

/// IMAGE_DEBUG_TYPE_…, those that we know; any other number may occur.
enum class PeDebugType : std::uint32_t {
    codeview = 2,
    pogo = 13,
    repro = 16,
    extended_dll_characteristics = 20,
};
struct PeDebugEntry {
    PeDebugType type{};
    std::uint32_t timestamp = 0;
    ByteView content;  ///< empty when it is neither in the file nor in memory
};

/// Which PDB belongs to the image.
struct PeCodeView {
    std::array<std::byte, 16> guid{};  ///< as stored; zero in NB10
    std::uint32_t signature = 0;       ///< NB10: the PDB's time stamp
    std::uint32_t age = 0;
    std::string path;  ///< as the linker recorded it
    bool nb10 = false;
    /// GUID and age, or signature and age, in upper-case hex as symbol stores spell them.
    [[nodiscard]] std::string id() const;
};

/// PE32 and PE32+, all machines. Addresses are relative to the image's base (RVA). Everything is
/// bounds checked when it is read, counts before anything is allocated; views live as long as this
/// object. Thread-safe. Layouts: pe_layout.h.
class PeImage {
public:
    static Result<std::shared_ptr<const PeImage>> open(std::shared_ptr<const Source> source);
    /// As loaded at `base`. Nothing beyond `size` is looked at (UINT64_MAX: what the header says).
    /// Lazy: `memory` must outlive the image.
    static Result<std::shared_ptr<const PeImage>> fromMemory(const AddressSpace& memory,
                                                             std::uint64_t base, std::uint64_t size,
                                                             std::string name);
    ~PeImage();

    [[nodiscard]] const std::string& name() const;
    [[nodiscard]] Arch arch() const;  ///< unknown for machines that icecore has no registers of
    [[nodiscard]] std::uint16_t machine() const;  ///< IMAGE_FILE_MACHINE_…
    [[nodiscard]] bool is64() const;
    [[nodiscard]] std::uint64_t imageBase() const;  ///< where it would like to be loaded
    [[nodiscard]] std::uint32_t imageSize() const;  ///< bytes, as loaded
    [[nodiscard]] std::uint32_t entry() const;
    [[nodiscard]] std::uint32_t timestamp() const;  ///< or a hash, in reproducible builds
    [[nodiscard]] std::uint32_t checksum() const;
    /// Timestamp and size as symbol stores spell them: "5F3C1A2B1c000".
    [[nodiscard]] std::string id() const;
    static std::string idOf(std::uint32_t timestamp, std::uint32_t imageSize);
    [[nodiscard]] const std::vector<PeSection>& sections() const;
    /// The section that contains an address, or null.
    [[nodiscard]] const PeSection* sectionAt(std::uint32_t address) const;
    /// As much of [address, address + size) as lies in one section (or in the headers) and is in
    /// the file, or is mapped and was captured. What the loader fills with zeros is not shown.
    [[nodiscard]] ByteView at(std::uint32_t address, std::uint64_t size) const;
    /// By ordinal; those without address left out. Damage shortens the list.
    [[nodiscard]] std::vector<PeExport> exports() const;
    /// The table of functions (.pdata), whole entries as stored; empty when there is none.
    [[nodiscard]] ByteView functionTable() const;
    /// Where a data directory is (pe::directory…): address and size; empty when there is none.
    [[nodiscard]] Range directory(std::size_t index) const;
    [[nodiscard]] std::vector<PeDebugEntry> debugEntries() const;
    [[nodiscard]] std::optional<PeCodeView> codeView() const;
    /// What was found damaged or missing at open.
    [[nodiscard]] const Issues& issues() const;

    struct Parts;  // defined in pe_image.cpp
    explicit PeImage(std::unique_ptr<Parts> parts);

private:
    std::unique_ptr<Parts> parts_;
};

}  // namespace icecore
