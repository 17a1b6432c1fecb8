#include "formats/minidump/reading.h"

#include <algorithm>

#include "base/text.h"

namespace icecore::minidump {

namespace {
/// Windows counts a string's bytes in 16 bits wherever it names files.
constexpr std::uint64_t longestString = 65536;
/// A real dump has some 20 streams.
constexpr std::uint64_t mostStreams = 4096;
}  // namespace

Result<Index> readIndex(const Source& source, Issues& issues) {
    Index index;
    ASSIGN_OR_RETURN(const SharedBytes start, source.load(0, sizeof(Header)));
    Cursor cursor(ByteView(start.span(), source.name()));
    index.header = cursor.structure<Header>();
    if (index.header.signature != signature)
        return fail(Errc::malformed, "not a minidump", source.where(0));
    if ((index.header.version & 0xffffU) != version)
        issues.note(fmt::format("unknown minidump version {:#x}", index.header.version & 0xffffU));

    std::uint64_t count = index.header.streamCount;
    const std::uint64_t at = index.header.directoryRva;
    const std::uint64_t room = at < source.size() ? (source.size() - at) / sizeof(Directory) : 0;
    if (count > room) {
        issues.loss(
            fmt::format("the directory promises {} streams, the file has room for {}", count, room),
            source.where(at));
        count = room;
    }
    if (count > mostStreams) {
        issues.loss(fmt::format("of {} streams only the first {} are read", count, mostStreams));
        count = mostStreams;
    }
    ASSIGN_OR_RETURN(const SharedBytes directory,
                     source.load(count == 0 ? 0 : at, count * sizeof(Directory)));
    Cursor entries(ByteView(directory.span(), source.name(), at));
    std::size_t unused = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto entry = entries.structure<Directory>();
        if (entry.type == streamUnused) {
            ++unused;
            continue;
        }
        index.streams.push_back({entry.type, entry.location.size, entry.location.rva});
    }
    // Seen in the field: the writer died before it wrote the directory, all entries are zero.
    if (index.streams.empty()) {
        return fail(Errc::malformed,
                    unused != 0 ? "the directory is all zero: the dump was not written to its end"
                                : "the dump has no streams",
                    source.where(at));
    }
    return index;
}

bool Reading::spend(std::uint64_t bytes, std::string_view what) {
    if (bytes <= budget_) {
        budget_ -= bytes;
        return true;
    }
    if (!exhausted_) {
        issues.loss(
            fmt::format("{} and what follows is left out: the file refers to the same "
                        "bytes so often that they add up to more than it holds",
                        what));
    }
    exhausted_ = true;
    return false;
}

SharedBytes Reading::load(std::uint64_t rva, std::uint64_t size, std::string_view what) {
    const std::uint64_t left = rva < source->size() ? source->size() - rva : 0;
    if (size > left) {
        issues.loss(fmt::format("{} is cut: {} of {} bytes are in the file", what, left, size),
                    source->where(rva));
        size = left;
    }
    // Of a mapped file this is a view; anything else is copied.
    if (size == 0 || (source->mapped().empty() && !spend(size, what))) return {};
    auto bytes = source->load(rva, size);
    if (!bytes) {
        issues.loss(bytes.error());
        return {};
    }
    return *std::move(bytes);
}

std::string Reading::string(std::uint64_t rva, std::string_view what) {
    if (rva == 0) return {};
    const auto length = source->load(rva, 4);
    if (!length) {
        issues.loss(fmt::format("{} lies outside the file", what), source->where(rva));
        return {};
    }
    std::uint64_t size = loadInteger<std::uint32_t>(length->span().data());
    if (size > longestString) {
        issues.loss(fmt::format("{} would have {} bytes; only its start is read", what, size),
                    source->where(rva));
        size = longestString;
    }
    if (!spend(2 * size, what)) return {};
    const SharedBytes raw = load(rva + 4, size, what);
    std::u16string text(raw.size() / 2, u'\0');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char16_t>(loadInteger<std::uint16_t>(raw.span().data() + 2 * i));
    // Some writers count the terminator.
    while (!text.empty() && text.back() == u'\0')
        text.pop_back();
    return utf16ToUtf8(text);
}

std::string Reading::utf8String(std::uint64_t rva, std::string_view what) {
    if (rva == 0) return {};
    const auto length = source->load(rva, 4);
    if (!length) {
        issues.loss(fmt::format("{} lies outside the file", what), source->where(rva));
        return {};
    }
    const std::uint64_t size =
        std::min<std::uint64_t>(loadInteger<std::uint32_t>(length->span().data()), longestString);
    if (!spend(size, what)) return {};
    const SharedBytes raw = load(rva + 4, size, what);
    const std::string_view text = raw.text();
    return std::string(text.substr(0, text.find('\0')));
}

void Reading::indexThreads() {
    threadIndex_.clear();
    for (std::size_t i = 0; i < process.threads.size(); ++i)
        threadIndex_.emplace_back(process.threads[i].id, i);
    std::ranges::stable_sort(threadIndex_, {}, &std::pair<std::uint64_t, std::size_t>::first);
}

Thread* Reading::threadById(std::uint64_t id) {
    const auto found = std::ranges::lower_bound(threadIndex_, id, {},
                                                &std::pair<std::uint64_t, std::size_t>::first);
    return found != threadIndex_.end() && found->first == id ? &process.threads[found->second]
                                                             : nullptr;
}

}  // namespace icecore::minidump
