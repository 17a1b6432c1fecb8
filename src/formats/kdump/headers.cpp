#include "formats/kdump/headers.h"

#include <algorithm>
#include <bit>
#include <span>

#include "bytes/read_structure.h"

namespace icecore::kdump {

namespace {

bool possible(std::uint64_t blockSize) {
    return std::has_single_bit(blockSize) && blockSize >= 4096 && blockSize <= 65536;
}

Header widen(const Header32& narrow) {
    Header header{};
    const auto to = std::as_writable_bytes(std::span(&header, 1));
    const auto from = std::as_bytes(std::span(&narrow, 1));
    std::ranges::copy(from.first(offsetof(Header, padding)), to.begin());
    header.seconds = narrow.seconds;
    header.microseconds = narrow.microseconds;
    std::ranges::copy(from.subspan(offsetof(Header32, status)),
                      to.subspan(offsetof(Header, status)).begin());
    return header;
}

template <class Narrow>
SubHeader widen(const Narrow& narrow) {
    SubHeader sub{};
    sub.physicalBase = narrow.physicalBase;
    sub.dumpLevel = narrow.dumpLevel;
    sub.split = narrow.split;
    sub.firstPage = narrow.firstPage;
    sub.endPage = narrow.endPage;
    sub.kernelInfoOffset = narrow.kernelInfoOffset;
    sub.kernelInfoSize = narrow.kernelInfoSize;
    sub.notesOffset = narrow.notesOffset;
    sub.notesSize = narrow.notesSize;
    sub.firstPage64 = narrow.firstPage64;
    sub.endPage64 = narrow.endPage64;
    sub.maxPage64 = narrow.maxPage64;
    return sub;
}

}  // namespace

Result<Headers> readHeaders(const Source& file) {
    Headers headers;
    ASSIGN_OR_RETURN(headers.header, readStructure<Header>(file, 0, "the header"));
    const Header& wide = headers.header;
    if (std::string_view(wide.signature, sizeof wide.signature) != signature)
        return fail(Errc::malformed, "no kdump file", file.name());
    if (possible(wide.blockSize)) {
        ASSIGN_OR_RETURN(headers.sub,
                         readStructure<SubHeader>(file, wide.blockSize, "the sub-header"));
        return headers;
    }
    ASSIGN_OR_RETURN(const auto narrow, readStructure<Header32>(file, 0, "the header"));
    const auto swapped = [](std::uint32_t value) { return possible(std::byteswap(value)); };
    if (!possible(narrow.blockSize) && (swapped(wide.blockSize) || swapped(narrow.blockSize)))
        return fail(Errc::unsupported, "of a big-endian machine, which is not supported",
                    file.name());
    if (!possible(narrow.blockSize))
        return fail(Errc::malformed, "pages of " + std::to_string(wide.blockSize) + " bytes",
                    file.where(offsetof(Header, blockSize)));
    headers.header = widen(narrow);
    // ARM's compilers align 64-bit numbers to their size, Intel's 32-bit ones do not.
    if (std::string_view(narrow.machine, 3) == "arm") {
        ASSIGN_OR_RETURN(const auto sub, readStructure<SubHeader32Aligned>(file, narrow.blockSize,
                                                                           "the sub-header"));
        headers.sub = widen(sub);
    } else {
        ASSIGN_OR_RETURN(const auto sub,
                         readStructure<SubHeader32>(file, narrow.blockSize, "the sub-header"));
        headers.sub = widen(sub);
    }
    return headers;
}

}  // namespace icecore::kdump
