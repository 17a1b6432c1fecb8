// Images that were cut into parts: NAME.001, NAME.002…; NAME.000…; NAME.aa, NAME.ab… of split(1).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bytes/source.h"

namespace icecore {

/// What a part's name says: "image.raw.002" is part 2 of "image.raw.".
struct PartName {
    std::string stem;        ///< with the full stop
    std::size_t digits = 0;  ///< or letters
    bool letters = false;    ///< "aa", "ab", … instead of numbers
    std::uint64_t number = 0;
};
/// Nothing where the extension is no number of two digits or more, and no two to four small
/// letters.
std::optional<PartName> parsePartName(const std::filesystem::path& path);

/// The files of which `path` is one part, or whose common beginning it is ("image.raw" where there
/// is only "image.raw.001"): the first one ("000", "001", "aa") must be there, or this is no such
/// name. Ascending; empty entries where a part is missing between others. Nothing where `path` is a
/// file of its own.
std::optional<std::vector<std::filesystem::path>> partsOf(const std::filesystem::path& path);

/// The parts, one behind the other, as one source named `name`; null stands for one that is
/// missing, which is as long as the others and whose bytes are not there: they are told and never
/// replaced. An error where the others tell no length.
Result<std::shared_ptr<const Source>> joinParts(std::vector<std::shared_ptr<const Source>> parts,
                                                std::string name);

}  // namespace icecore
