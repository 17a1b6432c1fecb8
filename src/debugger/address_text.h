// Regions in the words of `!address`.
#pragma once

#include <string>
#include <vector>

#include "debugger/session.h"

namespace icecore::debugger {

/// A row of the table: a region, or the gap between two.
struct AddressRow {
    Range range;
    const Region* region = nullptr;  ///< null: a gap
    std::string usage;               ///< "Image", "Stack", "Heap", "MappedFile", "Free", …
    std::string detail;              ///< "[libc; "/lib/libc.so.6"]", "[~0; 1a2b.1a2c]"
};

/// The process' regions and the gaps between them, ascending. A gap is "Free" only where the dump
/// lists all regions, else "<unknown>". A dump that lists none gives what its memory holds.
std::vector<AddressRow> addressRows(const Session& session);

/// "MEM_IMAGE", "MEM_MAPPED", "MEM_PRIVATE", or empty for a gap.
std::string_view typeText(const AddressRow& row);
/// "MEM_COMMIT", "MEM_RESERVE", "MEM_FREE".
std::string_view stateText(const AddressRow& row);
/// "PAGE_READWRITE", "PAGE_EXECUTE_READ|PAGE_GUARD", …
std::string protectText(const Protection& protection);
/// "7ffd`1c2ff000" as the table aligns it: high digits unpadded.
std::string columnAddress(std::uint64_t address);

}  // namespace icecore::debugger
