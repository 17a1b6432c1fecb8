// What a minidump consists of, in the form of WinDbg's `.dumpdebug`: header, directory, and for
// each stream a line about each thing in it.
#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "formats/minidump/minidump.h"
#include "formats/minidump/reading.h"
#include "model/dump_type.h"

namespace icecore::minidump {

namespace {

// MINIDUMP_TYPE, minidumpapiset.h: the bits above those of dumpFlags(), which only Windows knows.
constexpr unsigned firstLaterBit = 14;
constexpr std::array<std::string_view, 11> laterBits = {
    "WithoutAuxiliaryState",
    "WithFullAuxiliaryState",
    "WithPrivateWriteCopyMemory",
    "IgnoreInaccessibleMemory",
    "WithTokenInformation",
    "WithModuleHeaders",
    "FilterTriage",
    "WithAvxXStateContext",
    "WithIptTrace",
    "ScanInaccessiblePartialPages",
    "FilterWriteCombinedMemory",
};

struct Name {
    std::uint32_t value;
    std::string_view text;
};
// PROCESSOR_ARCHITECTURE_…, winnt.h; the last is Breakpad's.
constexpr std::array architectures = {
    Name{cpuX86, "INTEL"},
    Name{cpuArm, "ARM"},
    Name{cpuAmd64, "AMD64"},
    Name{cpuX86OnWin64, "IA32_ON_WIN64"},
    Name{cpuArm64, "ARM64"},
    Name{cpuArmOnWin64, "ARM32_ON_WIN64"},
    Name{cpuX86OnArm64, "IA32_ON_ARM64"},
    Name{cpuArm64Breakpad, "ARM64 of Breakpad"},
};
// VER_PLATFORM_…, winnt.h; MD_OS_…, Breakpad's minidump_format.h.
constexpr std::array platforms = {
    Name{platformWindows, "VER_PLATFORM_WIN32_NT"},
    Name{platformMac, "MD_OS_MAC_OS_X"},
    Name{platformIos, "MD_OS_IOS"},
    Name{platformLinux, "MD_OS_LINUX"},
    Name{platformAndroid, "MD_OS_ANDROID"},
};
// VER_NT_…, winnt.h.
constexpr std::array products = {Name{1, "WinNt"}, Name{2, "LanManNt"}, Name{3, "Server"}};
// VER_SUITE_…, winnt.h: bits.
constexpr std::array suites = {
    Name{0x1, "SmallBusiness"},   Name{0x2, "Enterprise"},  Name{0x4, "BackOffice"},
    Name{0x10, "TerminalServer"}, Name{0x40, "EmbeddedNt"}, Name{0x80, "DataCenter"},
    Name{0x100, "SingleUserTS"},  Name{0x200, "Personal"},  Name{0x400, "Blade"},
};

template <std::size_t n>
std::string_view nameIn(const std::array<Name, n>& names, std::uint32_t value) {
    const auto found = std::ranges::find(names, value, &Name::value);
    return found == names.end() ? "???" : found->text;
}

/// A field of a file as the number it holds.
template <class T>
struct PlainOf {
    using Type = T;
};
template <class T>
struct PlainOf<Little<T>> {
    using Type = T;
};
template <class T>
using Plain = typename PlainOf<T>::Type;

class Outline {
public:
    explicit Outline(std::shared_ptr<const Source> source)
        : reading_(std::move(source), scratch_) {}

    Result<std::string> print() {
        ASSIGN_OR_RETURN(const Index index, readIndex(*reading_.source, reading_.issues));
        header(index.header);
        const std::uint64_t at = index.header.directoryRva;
        // All of them, the unused too; readIndex has said what is wrong with the directory.
        const std::uint64_t room = (reading_.source->size() - at) / sizeof(Directory);
        const std::uint64_t count =
            std::min<std::uint64_t>({std::uint64_t{index.header.streamCount}, room, mostStreams});
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto entry = structure<Directory>(at + i * sizeof(Directory));
            if (entry) stream(i, *entry);
        }
        for (const Issue& issue : reading_.issues.items())
            line("Damaged: {}", printable(issue.describe()));
        return std::move(text_);
    }

private:
    template <class... Values>
    void line(fmt::format_string<const Plain<Values>&...> form, const Values&... values) {
        fmt::format_to(std::back_inserter(text_), form,
                       static_cast<const Plain<Values>&>(values)...);
        text_ += '\n';
    }
    template <class T>
    std::optional<T> structure(std::uint64_t at) {
        const auto bytes = reading_.source->load(at, sizeof(T));
        if (!bytes) return std::nullopt;
        return Cursor(ByteView(bytes->span())).structure<T>();
    }
    std::string string(std::uint64_t rva, std::string_view what) {
        return printable(reading_.string(rva, what));
    }
    [[nodiscard]] static std::string span(std::uint64_t base, std::uint64_t size) {
        return fmt::format("{} - {}", hexTicked(base), hexTicked(base + size));
    }
    /// `use(at, entry)`: each entry with its offset in the file.
    template <class T, class Use>
    void counted(const Directory& entry, ByteView content, std::string_view plural, Use use) {
        Cursor cursor(content);
        const std::uint32_t count = cursor.u32();
        line("  {} {}", count, plural);
        const bool padded = content.size() == std::uint64_t{count} * sizeof(T) + 8;
        std::uint64_t at = entry.location.rva + (padded ? 8ULL : 4ULL);
        reading_.forEachCounted<T>(content, plural, [&](const T& raw) {
            use(at, raw);
            at += sizeof(T);
        });
    }
    template <class HeaderType, class T, class Use>
    void sized(const Directory& entry, ByteView content, std::string_view what, Use use) {
        const auto header = structure<HeaderType>(entry.location.rva);
        std::uint64_t at = entry.location.rva + (header ? std::uint64_t{header->headerSize} : 0);
        reading_.forEachSized<HeaderType, T>(content, what, [&](const T& raw) {
            use(at, raw);
            at += header->entrySize;
        });
    }

    void header(const Header& header) {
        line("----- User Mini Dump Analysis\n\nMINIDUMP_HEADER:");
        line("Version         {:04X} ({:X})", header.version & 0xffffU, header.version >> 16U);
        line("NumberOfStreams {}", header.streamCount);
        line("Flags           {:08X}", std::uint64_t{header.flags});
        if (header.flags == 0) line("                0000 MiniDumpNormal");
        for (const DumpFlagInfo& info : dumpFlags()) {
            const auto bit = static_cast<std::uint32_t>(info.flag);
            if ((header.flags & bit) != 0) line("                {:08X} {}", bit, info.name);
        }
        for (std::size_t i = 0; i < laterBits.size(); ++i) {
            const std::uint32_t bit = 1U << (firstLaterBit + i);
            if ((header.flags & bit) != 0)
                line("                {:08X} MiniDump{}", bit, laterBits[i]);
        }
        line("\nStreams:");
    }

    void stream(std::uint64_t number, const Directory& entry) {
        const auto row =
            std::ranges::find(streamRows(), std::uint32_t{entry.type}, &StreamRow::type);
        const std::string_view name = entry.type == streamUnused  ? "UnusedStream"
                                      : row == streamRows().end() ? "???"
                                                                  : row->name;
        line("Stream {}: type {} ({}), size {:08X}, RVA {:08X}", number, name, entry.type,
             entry.location.size, entry.location.rva);
        if (entry.type == streamUnused) return;
        const SharedBytes bytes = reading_.load(entry.location.rva, entry.location.size, name);
        const ByteView content = reading_.view(bytes, entry.location.rva);
        switch (entry.type) {
        case streamSystemInfo: system(content); break;
        case streamThreadList: threads(entry, content); break;
        case streamThreadInfoList:
            sized<ListHeader, RawThreadInfo>(entry, content, name, [&](auto at, const auto& raw) {
                line("  RVA {:08X}, ID {:X}", at, raw.id);
            });
            break;
        case streamThreadNames: threadNames(content); break;
        case streamModuleList: modules(entry, content); break;
        case streamUnloadedModuleList: unloaded(entry, content); break;
        case streamMemoryList: memory(entry, content); break;
        case streamMemory64List: memory64(content); break;
        case streamException: exception(content); break;
        case streamHandleData: handles(content); break;
        case streamCommentA: line("  '{}'", printable(bytes.text())); break;
        default: break;
        }
    }

    void system(ByteView content) {
        Cursor cursor(content);
        const auto raw = cursor.structure<RawSystemInfo>();
        if (!cursor.ok()) return;
        line("  ProcessorArchitecture   {:04X} (PROCESSOR_ARCHITECTURE_{})", raw.architecture,
             nameIn(architectures, raw.architecture));
        line("  ProcessorLevel          {:04X}", raw.level);
        line("  ProcessorRevision       {:04X}", raw.revision);
        line("  NumberOfProcessors      {:02X}", raw.processorCount);
        line("  MajorVersion            {:08X}", raw.major);
        line("  MinorVersion            {:08X}", raw.minor);
        line("  BuildNumber             {:08X} ({})", raw.build, raw.build);
        line("  PlatformId              {:08X} ({})", raw.platform,
             nameIn(platforms, raw.platform));
        line("  CSDVersionRva           {:08X}", raw.versionRva);
        if (const auto length = structure<Le32>(raw.versionRva); raw.versionRva != 0 && length) {
            line("                            Length: {}", *length);
            const std::string version = string(raw.versionRva, "the system's version");
            if (!version.empty()) line("                            Buffer: {{'{}'}}", version);
        }
        std::string suite;
        for (const Name& name : suites) {
            if ((raw.suiteMask & name.value) != 0)
                suite += (suite.empty() ? "" : " ") + std::string(name.text);
        }
        line("  Product: {}, suite: {}", nameIn(products, raw.productType), suite);
    }

    void threads(const Directory& entry, ByteView content) {
        counted<RawThread>(entry, content, "threads", [&](auto at, const RawThread& raw) {
            line("  RVA {:08X}, ID {:X}, Teb:{:016X}", at, raw.id, raw.teb);
        });
    }
    void threadNames(ByteView content) {
        line("Found {} thread description(s).", Cursor(content).u32());
        reading_.forEachCounted<RawThreadName>(content, "thread names", [&](const auto& raw) {
            line("Thread 0x{:08x}: '{}'.", raw.id, string(raw.nameRva, "a thread's name"));
        });
    }

    void modules(const Directory& entry, ByteView content) {
        counted<RawModule>(entry, content, "modules", [&](auto at, const RawModule& raw) {
            // dbgcore of 2026 keeps the image's characteristics in Reserved0.
            line(
                "  RVA {:08X}, {}: '{}', DllCharacteristics: {:x}, Timestamp: {:x}, CheckSum: {:x}",
                at, span(raw.base, raw.size), string(raw.nameRva, "a module's name"),
                raw.reserved0 & 0xffffU, raw.time, raw.checksum);
        });
    }
    void unloaded(const Directory& entry, ByteView content) {
        if (const auto header = structure<ListHeader>(entry.location.rva))
            line("  {} unloaded modules", header->count);
        sized<ListHeader, RawUnloadedModule>(
            entry, content, "UnloadedModuleListStream", [&](auto at, const auto& raw) {
                line("  RVA {:08X}, {}: '{}'", at, span(raw.base, raw.size),
                     string(raw.nameRva, "an unloaded module's name"));
            });
    }

    void beginRanges() { line("  range#    RVA      Address             Size"); }
    void range(std::uint64_t rva, std::uint64_t start, std::uint64_t size) {
        line("    {:4} {:08X}    {}   {}", ranges_++, rva, hexTicked(start), hexTicked(size));
        total_ += size;
    }
    void endRanges() {
        line("  Total memory: {:x}", total_);
        ranges_ = total_ = 0;
    }
    void memory(const Directory& entry, ByteView content) {
        bool begun = false;
        counted<MemoryDescriptor>(entry, content, "memory ranges",
                                  [&](auto, const MemoryDescriptor& raw) {
                                      if (!begun) beginRanges();
                                      begun = true;
                                      range(raw.memory.rva, raw.start, raw.memory.size);
                                  });
        endRanges();
    }
    void memory64(ByteView content) {
        Cursor cursor(content);
        const auto header = cursor.structure<Memory64Header>();
        if (!cursor.ok()) return;
        line("  {} memory ranges\n  RVA 0x{:X} BaseRva", header.count, header.base);
        beginRanges();
        std::uint64_t rva = header.base;
        reading_.forEach<MemoryDescriptor64>(content.slice(sizeof(Memory64Header)), header.count,
                                             sizeof(MemoryDescriptor64), "Memory64ListStream",
                                             [&](const MemoryDescriptor64& raw) {
                                                 range(rva, raw.start, raw.size);
                                                 rva += raw.size;
                                             });
        endRanges();
    }

    void exception(ByteView content) {
        Cursor cursor(content);
        const auto raw = cursor.structure<ExceptionStream>();
        if (!cursor.ok()) return;
        line("  ThreadID {}\n  ExceptionCode {:X}\n  ExceptionRecord {:x}", raw.threadId,
             raw.record.code, raw.record.record);
        line("  ExceptionAddress {:x}\n  Context record RVA {:x}, size {:x}", raw.record.address,
             raw.context.rva, raw.context.size);
    }

    void handles(ByteView content) {
        Cursor cursor(content);
        const auto header = cursor.structure<HandleHeader>();
        if (!cursor.ok()) return;
        line("  {} descriptors, header size is {}, descriptor size is {}", header.count,
             header.headerSize, header.entrySize);
        reading_.forEach<HandleDescriptor>(content.slice(header.headerSize), header.count,
                                           header.entrySize, "HandleDataStream",
                                           [&](const HandleDescriptor& raw) {
                                               line("    Handle({:016X},\"{}\",\"{}\")", raw.handle,
                                                    string(raw.typeNameRva, "a handle's type"),
                                                    string(raw.objectNameRva, "a handle's name"));
                                           });
    }

    static constexpr std::uint64_t mostStreams = 4096;  // as readIndex

    Snapshot scratch_ = [] {
        Snapshot snapshot;
        snapshot.process.emplace();
        return snapshot;
    }();
    Reading reading_;
    std::string text_;
    std::uint64_t ranges_ = 0, total_ = 0;
};

}  // namespace

Result<std::string> outline(std::shared_ptr<const Source> source) {
    return Outline(std::move(source)).print();
}

}  // namespace icecore::minidump
