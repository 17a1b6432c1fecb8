#include "formats/image/system_guess.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bytes/endian.h"
#include "formats/image/image.h"

namespace icecore::image {

namespace {

constexpr std::uint64_t pieceSize = std::uint64_t{1} << 20;
/// What is looked for may reach over a piece's end by so much.
constexpr std::uint64_t overlap = 1024;
constexpr std::size_t mostBanner = 512, leastBanner = 32;
constexpr std::string_view bannerStart = "Linux version ", infoStart = "OSRELEASE=";

bool isPrintable(char c) {
    return c >= 0x20 && c < 0x7f;
}

std::string_view printableStart(std::string_view text) {
    return text.substr(
        0, static_cast<std::size_t>(std::ranges::find_if_not(text, isPrintable) - text.begin()));
}

/// Linux' own words for itself: "Linux version RELEASE (WHO@WHERE) (COMPILER) #1 SMP …".
std::string_view bannerAt(std::string_view text) {
    const std::string_view line = printableStart(text.substr(0, mostBanner));
    const bool release = line.size() > bannerStart.size() && line[bannerStart.size()] >= '0' &&
                         line[bannerStart.size()] <= '9';
    // A kernel holds one more, which its build put by for want of a number: "… # SMP".
    const std::size_t build = line.find(" #");
    const bool numbered = build != std::string_view::npos && build + 2 < line.size() &&
                          line[build + 2] >= '0' && line[build + 2] <= '9';
    const bool whole =
        line.size() >= leastBanner && line.find(" (") != std::string_view::npos && numbered;
    return release && whole ? line : std::string_view();
}

std::string_view releaseIn(std::string_view banner) {
    const std::string_view rest = banner.substr(bannerStart.size());
    return rest.substr(0, rest.find(' '));
}

/// Lines NAME=VALUE that a page holds from its beginning to a zero byte or its end.
std::string_view kernelInfoAt(std::string_view page) {
    const std::string_view text = page.substr(0, page.find('\0'));
    const bool plain =
        std::ranges::all_of(text, [](char c) { return isPrintable(c) || c == '\n'; });
    const bool known = text.find("\nPAGESIZE=") != std::string_view::npos;
    return plain && known ? text : std::string_view();
}

/// CV_INFO_PDB70 (Matt Pietrek, "CodeView" in LLVM's llvm/Object/CVDebugRecord.h): "RSDS", GUID,
/// age, name. As symbol servers name it: "ntkrnlmp.pdb GUIDAGE".
std::string kernelPdbAt(std::string_view text) {
    constexpr std::array<std::string_view, 4> names = {"ntkrnlmp.pdb", "ntoskrnl.pdb",
                                                       "ntkrpamp.pdb", "ntkrnlpa.pdb"};
    constexpr std::size_t nameAt = 24;
    if (text.size() < nameAt + 16) return {};
    for (const std::string_view name : names) {
        if (text.substr(nameAt, name.size()) != name || text[nameAt + name.size()] != '\0')
            continue;
        const auto* const bytes = reinterpret_cast<const std::byte*>(text.data());
        std::string found = fmt::format(
            "{} {:08X}{:04X}{:04X}", name, loadInteger<std::uint32_t>(bytes + 4),
            loadInteger<std::uint16_t>(bytes + 8), loadInteger<std::uint16_t>(bytes + 10));
        for (std::size_t i = 12; i < 20; ++i)
            found += fmt::format("{:02X}", std::to_integer<unsigned>(bytes[i]));
        return found + fmt::format("{:X}", loadInteger<std::uint32_t>(bytes + 20));
    }
    return {};
}

class Search {
public:
    /// Whether all is known that can be.
    bool look(std::string_view text, std::uint64_t address, std::uint64_t size) {
        if (guess_.kernelInfo.empty()) lookForInfo(text, address, size);
        for (std::size_t at = text.find(bannerStart); at < size;
             at = text.find(bannerStart, at + 1)) {
            if (const std::string_view banner = bannerAt(text.substr(at)); !banner.empty())
                takeBanner(banner, address + at);
        }
        for (std::size_t at = text.find("RSDS"); at < size && guess_.os != Os::linux_os;
             at = text.find("RSDS", at + 1)) {
            std::string pdb = kernelPdbAt(text.substr(at));
            if (pdb.empty()) continue;
            guess_.os = Os::windows;
            guess_.banner = std::move(pdb);
            guess_.at = address + at;
            return true;
        }
        return !guess_.kernelInfo.empty() && agrees_;
    }
    SystemGuess& guess() { return guess_; }

private:
    void lookForInfo(std::string_view text, std::uint64_t address, std::uint64_t size) {
        const std::uint64_t first = alignUp(address, pageSize) - address;
        for (std::uint64_t at = first; at < size; at += pageSize) {
            const auto page = text.substr(static_cast<std::size_t>(at), pageSize);
            if (!page.starts_with(infoStart)) continue;
            const std::string_view info = kernelInfoAt(page);
            if (info.empty()) continue;
            guess_.kernelInfo = info;
            guess_.os = Os::linux_os;
            guess_.version = info.substr(infoStart.size(), info.find('\n') - infoStart.size());
            agrees_ = !guess_.banner.empty() && releaseIn(guess_.banner) == guess_.version;
            if (agrees_) return;
            guess_.banner.clear();
            guess_.at = address + at;
            return;
        }
    }
    void takeBanner(std::string_view banner, std::uint64_t at) {
        const bool told = !guess_.kernelInfo.empty();
        const bool agrees = told && releaseIn(banner) == guess_.version;
        // The first one stays, unless there comes the one that VMCOREINFO speaks of.
        if (agrees_ || (!agrees && (told || !guess_.banner.empty()))) return;
        agrees_ = agrees;
        guess_.os = Os::linux_os;
        guess_.version = releaseIn(banner);
        guess_.banner = banner;
        guess_.at = at;
    }

    SystemGuess guess_;
    bool agrees_ = false;  ///< banner and VMCOREINFO are of the same release
};

SystemGuess search(const AddressSpace& memory, std::uint64_t mostBytes) {
    Search looking;
    Piece piece;
    std::uint64_t searched = 0;
    for (const Extent& extent : memory.extents(Range::all())) {
        if (extent.absence != Absence::none || extent.zero) continue;
        for (std::uint64_t at = extent.range.begin(); at < extent.range.end();) {
            if (searched >= mostBytes) {
                looking.guess().gaveUp = true;
                return looking.guess();
            }
            const std::uint64_t size =
                std::min(alignDown(at, pieceSize) + pieceSize, extent.range.end()) - at;
            readPiece(memory, Range::ofSize(at, std::min(size + overlap, extent.range.end() - at)),
                      piece);
            const std::string_view text(reinterpret_cast<const char*>(piece.bytes.data()),
                                        piece.bytes.size());
            searched += size;
            if (!piece.zero && looking.look(text, at, size)) return looking.guess();
            at += size;
        }
    }
    return looking.guess();
}

}  // namespace

SystemGuess guessSystem(const AddressSpace& memory, std::uint64_t mostBytes) {
    SystemGuess guess = search(memory, mostBytes);
    if (!guess.kernelInfo.empty()) {
        Snapshot said;
        said.machine.emplace();
        setKernelInfo(said, SharedBytes::own(guess.kernelInfo));
        guess.tables = translationOf(*said.machine);
    }
    return guess;
}

}  // namespace icecore::image
