// Multi-stream files (the container of PDBs) made for tests: any page size, pages in any order,
// streams replaced or added.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "bytes/endian.h"
#include "symbols/pdb/msf_file.h"

namespace icecore::tests {

using Bytes = std::vector<std::byte>;

inline std::vector<Bytes> readAllStreams(const MsfFile& file) {
    std::vector<Bytes> streams;
    for (std::uint32_t i = 0; i < file.streamCount(); ++i) {
        const SharedBytes all = file.stream(i).loadAll();
        streams.emplace_back(all.span().begin(), all.span().end());
    }
    return streams;
}

inline constexpr std::size_t msfHeadPages = 3;  ///< the first block, two free page maps

/// `scattered`: a stream's pages lie in descending order, so that none follows another. `skipped`
/// pages, which the result does not have, are to lie behind the first msfHeadPages.
inline Bytes writeMsf(const std::vector<Bytes>& streams, std::uint32_t pageSize, bool scattered,
                      std::uint32_t skipped = 0) {
    const auto pagesFor = [&](std::size_t size) { return (size + pageSize - 1) / pageSize; };
    Bytes file(msfHeadPages * pageSize);
    const auto store = [&](const Bytes& content) {
        std::vector<std::uint32_t> pages(pagesFor(content.size()));
        const std::size_t first = file.size() / pageSize;
        file.resize(file.size() + pages.size() * pageSize);
        for (std::size_t i = 0; i < pages.size(); ++i) {
            const std::size_t at = first + (scattered ? pages.size() - 1 - i : i);
            pages[i] = static_cast<std::uint32_t>(at) + skipped;
            const std::size_t from = i * pageSize;
            std::memcpy(file.data() + at * pageSize, content.data() + from,
                        std::min<std::size_t>(pageSize, content.size() - from));
        }
        return pages;
    };
    Bytes directory, lists;
    appendInteger(directory, static_cast<std::uint32_t>(streams.size()));
    for (const Bytes& stream : streams)
        appendInteger(directory, static_cast<std::uint32_t>(stream.size()));
    for (const Bytes& stream : streams) {
        for (const std::uint32_t page : store(stream))
            appendInteger(directory, page);
    }
    for (const std::uint32_t page : store(directory))
        appendInteger(lists, page);
    const std::vector<std::uint32_t> listPages = store(lists);
    const char magic[33] =
        "Microsoft C/C++ MSF 7.00\r\n\x1a"
        "DS\0\0";
    std::memcpy(file.data(), magic, 32);
    storeInteger(file.data() + 32, pageSize);
    storeInteger(file.data() + 36, std::uint32_t{1});
    storeInteger(file.data() + 40, static_cast<std::uint32_t>(file.size() / pageSize) + skipped);
    storeInteger(file.data() + 44, static_cast<std::uint32_t>(directory.size()));
    for (std::size_t i = 0; i < listPages.size(); ++i)
        storeInteger(file.data() + 52 + i * 4, listPages[i]);
    return file;
}

}  // namespace icecore::tests
