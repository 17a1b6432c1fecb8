#include "formats/format.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "bytes/imperfect.h"
#include "bytes/split_source.h"
#include "formats/aff4/aff4.h"
#include "formats/elfcore/elf_core.h"
#include "formats/hiberfil/hiberfil.h"
#include "formats/kdump/kdump.h"
#include "formats/lime/lime.h"
#include "formats/minidump/minidump.h"
#include "formats/raw/raw.h"
#include "formats/vmcore/vmcore.h"
#include "formats/vmware/vmware.h"
#include "formats/winkernel/kernel_dump.h"

namespace icecore {

namespace {

/// Probed in this order: a kernel's core is a core too, and a raw image has nothing but its name.
const std::array table = {
    vmcoreFormat(),
    elfCoreFormat(),
    minidumpFormat(),
    windowsKernelDumpFormat(),
    limeFormat(),
    avmlFormat(),
    kdumpFormat(),
    aff4Format(),
    vmwareFormat(),
    hiberfilFormat(),
    rawFormat(),
    joinedFormat(),
    windowsBitmapDumpFormat(),
};

/// What a file that is no dump looks like, by its first bytes.
std::string_view looksLike(std::span<const std::byte> start) {
    const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
    struct Magic {
        std::string_view bytes;
        std::string_view what;
    };
    using namespace std::string_view_literals;
    static constexpr std::array magics = {
        Magic{"\x7f"
              "ELF\x01\x02"sv,
              "a big-endian ELF file, which is not supported"},
        Magic{"\x7f"
              "ELF\x02\x02"sv,
              "a big-endian ELF file, which is not supported"},
        Magic{"\x7f"
              "ELF"sv,
              "an ELF program or library, not a dump of a running one"},
        Magic{"MDMP"sv, "a damaged minidump"},
        Magic{"MZ"sv, "a Windows program or library, not a dump of a running one"},
        Magic{"PAGEDU64"sv, "a damaged Windows kernel dump"},
        Magic{"PAGEDUMP"sv, "a damaged Windows kernel dump"},
        Magic{"EMiL"sv, "a damaged LiME image of physical memory"},
        Magic{"\x1f\x8b"sv, "compressed with gzip twice: decompress it first"},
        Magic{"\xfd"
              "7zXZ"sv,
              "compressed with xz twice: decompress it first"},
        Magic{"\x04\x22\x4d\x18"sv, "compressed with lz4: decompress it first"},
        Magic{"\x28\xb5\x2f\xfd"sv, "compressed with zstd twice: decompress it first"},
        Magic{"BZh"sv, "compressed with bzip2: decompress it first"},
        Magic{"PK\x03\x04"sv, "a zip archive: extract the dump first"},
        Magic{"7z\xbc\xaf\x27\x1c"sv, "a 7z archive: extract the dump first"},
        Magic{"\x00\x00\x00\x00\x00\x00\x00\x00"sv, "starts with zeros: not written to its end?"},
    };
    for (const Magic& magic : magics) {
        if (text.starts_with(magic.bytes)) return magic.what;
    }
    const bool isText = std::ranges::all_of(text, [](char c) {
        return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\r' || c == '\t';
    });
    return isText ? "a text file"
                  : "nothing known (plain memory is told by its name, as .raw, and made of pages)";
}

}  // namespace

std::span<const Format> allFormats() {
    return table;
}

const Format* formatByName(std::string_view name) {
    const auto found = std::ranges::find(table, name, &Format::name);
    return found == table.end() ? nullptr : &*found;
}

const Format* formatByExtension(const std::filesystem::path& path) {
    const std::string extension = toLower(path.extension().string());
    if (extension.empty()) return nullptr;
    const auto found = std::ranges::find(table, std::string_view(extension), &Format::extension);
    return found == table.end() ? nullptr : &*found;
}

const Format* imageFormatByExtension(const std::filesystem::path& path) {
    const std::string extension = toLower(path.extension().string());
    if (extension.empty()) return nullptr;
    const auto found = std::ranges::find_if(table, [&](const Format& format) {
        return format.writeImage != nullptr &&
               (format.extension == extension ||
                std::ranges::find(format.moreExtensions, extension) != format.moreExtensions.end());
    });
    return found == table.end() ? nullptr : &*found;
}

const Format* imageFormatByWord(std::string_view word) {
    const Format* const named = formatByName(word);
    return named != nullptr ? named : imageFormatByExtension("a." + std::string(word));
}

Result<const Format*> recognise(const Source& source) {
    if (source.size() == 0) return fail(Errc::truncated, "the file is empty", source.name());
    for (const Format& format : table) {
        if (format.probe != nullptr && format.probe(source)) return &format;
    }
    const auto part = parsePartName(source.name());
    if (part && !part->letters && part->number > 1 && part->number < 1000 && part->digits == 3)
        return fail(Errc::malformed,
                    "not a dump that icecore can read; if it is part " +
                        std::to_string(part->number) + " of one, the first part is missing",
                    source.name());
    std::array<std::byte, 16> start{};
    ASSIGN_OR_RETURN(const std::size_t got, source.read(0, start));
    return fail(
        Errc::malformed,
        "not a dump that icecore can read: " + std::string(looksLike(std::span(start).first(got))),
        source.name());
}

Result<Snapshot> openDump(const std::filesystem::path& path) {
    ASSIGN_OR_RETURN(auto source, openSource(path));
    ASSIGN_OR_RETURN(const Format* format, recognise(*source));
    if (format->open == nullptr) {
        return fail(Errc::unsupported,
                    "reading " + std::string(format->description) + " is not supported",
                    source->name());
    }
    const Issues before = issuesOf(*source);
    ASSIGN_OR_RETURN(Snapshot snapshot, format->open(std::move(source)));
    snapshot.issues.append(before);
    return snapshot;
}

}  // namespace icecore
