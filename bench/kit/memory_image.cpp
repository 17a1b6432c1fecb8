#include "kit/memory_image.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "support/xorshift.h"

namespace icecore::bench {

namespace {

constexpr std::size_t pageSize = 4096;

using tests::Xorshift;

void fillRandom(std::byte* page, Xorshift& random) {
    for (std::size_t at = 0; at < pageSize; at += 8) {
        const std::uint64_t value = random.next();
        std::memcpy(page + at, &value, 8);
    }
}

/// Pointers that share their upper bytes, small numbers, words.
void fillObjects(std::byte* page, Xorshift& random) {
    for (std::size_t at = 0; at < pageSize; at += 32) {
        const std::uint64_t roll = random.next();
        const std::array<std::uint64_t, 4> object{0xffff888010000000 + (roll & 0xffffff0),
                                                  roll >> 60, 0x6c616d72656e0000 + (roll >> 52), 0};
        std::memcpy(page + at, object.data(), sizeof object);
    }
}

void fillPage(std::byte* page, Content content, Xorshift& random) {
    const std::uint64_t roll = random.next() % 10;
    const bool filled = content == Content::random || (content == Content::zero90 && roll == 0) ||
                        (content == Content::mixed && roll >= 8);
    if (filled) return fillRandom(page, random);
    if (content == Content::mixed && roll >= 3) return fillObjects(page, random);
    std::memset(page, 0, pageSize);
}

Result<void> put(std::ofstream& file, const std::vector<std::byte>& bytes,
                 const std::string& path) {
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return file ? Result<void>() : fail(Errc::io, "cannot be written", path);
}

}  // namespace

Result<void> writeImage(const std::string& path, std::uint64_t bytes, Content content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    std::vector<std::byte> piece(std::size_t{1} << 20);
    Xorshift random;
    for (std::uint64_t at = 0; at < bytes; at += piece.size()) {
        for (std::size_t page = 0; page < piece.size(); page += pageSize)
            fillPage(piece.data() + page, content, random);
        TRY(put(file, piece, path));
    }
    file.close();
    return file ? Result<void>() : fail(Errc::io, "cannot be written", path);
}

Result<void> writeSparseImage(const std::string& path, std::uint64_t bytes, std::uint64_t apart) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    std::vector<std::byte> page(pageSize);
    Xorshift random;
    for (std::uint64_t at = 0; at < bytes; at += apart) {
        fillRandom(page.data(), random);
        file.seekp(static_cast<std::streamoff>(at));
        TRY(put(file, page, path));
    }
    file.close();
    std::error_code error;
    std::filesystem::resize_file(path, bytes, error);
    return file && !error ? Result<void>() : fail(Errc::io, "cannot be written", path);
}

}  // namespace icecore::bench
