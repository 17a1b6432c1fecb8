// A minidump as text and back.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "bytes/cursor.h"
#include "formats/minidump/linux_streams.h"
#include "formats/minidump/minidump.h"
#include "formats/minidump/reading.h"
#include "formats/minidump/text_specs.h"

namespace icecore::minidump {

namespace {

/// Entries of one list that are shown one by one; more are shown as bytes. A real dump's longest
/// list, of mappings, can have 65 530.
constexpr std::uint64_t mostEntries = 200'000;

class Describer {
public:
    explicit Describer(std::shared_ptr<const Source> source)
        : source_(source), out_(std::move(source)) {}

    Result<std::string> describe() {
        Issues issues;
        auto index = readIndex(*source_, issues);
        out_.structure(textSpec("MINIDUMP_HEADER"), 0, "header");
        if (index) {
            const std::uint64_t count = index->header.streamCount;
            list("MINIDUMP_DIRECTORY", index->header.directoryRva, count, sizeof(Directory),
                 "directory");
            for (const StreamEntry& entry : index->streams)
                stream(entry);
            // Memory last: what lies inside it is memory.
            for (const Block& block : memory_)
                out_.bytes(block.offset, block.size, block.label);
        }
        return out_.print(fmt::format("minidump {}, {} bytes", source_->name(), source_->size()));
    }

private:
    struct Block {
        std::uint64_t offset, size;
        std::string label;
    };

    template <class T>
    std::optional<T> load(std::uint64_t at) const {
        const auto bytes = source_->load(at, sizeof(T));
        if (!bytes) return std::nullopt;
        return Cursor(ByteView(bytes->span())).structure<T>();
    }

    void string(std::uint64_t rva, std::string label) {
        if (rva == 0) return;
        const auto length = load<Le32>(rva);
        if (!length) return;
        // With its terminator, where there is one.
        const std::uint64_t size = sizeof(Le32) + *length;
        const auto end = load<Le16>(rva + size);
        const bool terminated = end && *end == 0;
        out_.structure(textSpec("MINIDUMP_STRING"), rva, std::move(label),
                       size + (terminated ? 2 : 0));
    }

    /// `count` structures, one behind the other, each `stride` bytes.
    void list(std::string_view spec, std::uint64_t at, std::uint64_t count, std::uint64_t stride,
              const std::string& label) {
        for (std::uint64_t i = 0; i < std::min(count, mostEntries); ++i) {
            const std::uint64_t offset = at + i * stride;
            if (offset >= source_->size()) return;
            out_.structure(textSpec(spec), offset, fmt::format("{}.{}", label, i));
        }
    }

    template <class T, class Use>
    void entries(std::uint64_t at, std::uint64_t count, std::uint64_t stride, Use use) {
        if (stride < sizeof(T)) return;
        for (std::uint64_t i = 0; i < std::min(count, mostEntries); ++i) {
            const auto raw = load<T>(at + i * stride);
            if (!raw) return;
            use(i, *raw);
        }
    }

    /// A 32-bit count, padding where the stream's size tells of it, then entries of type T.
    template <class T, class Use>
    void counted(const StreamEntry& entry, std::string_view spec, const std::string& label,
                 Use use) {
        const auto count = load<Le32>(entry.rva);
        if (!count) return;
        out_.structure(textSpec("Count"), entry.rva, label);
        const bool padded = entry.size == std::uint64_t{*count} * sizeof(T) + 8;
        const std::uint64_t at = entry.rva + (padded ? 8ULL : 4ULL);
        list(spec, at, *count, sizeof(T), label);
        entries<T>(at, *count, sizeof(T), use);
    }

    template <class HeaderType>
    void sized(const StreamEntry& entry, std::string_view headerSpec, std::string_view spec,
               const std::string& label) {
        const auto header = load<HeaderType>(entry.rva);
        if (!header) return;
        out_.structure(textSpec(headerSpec), entry.rva, label);
        const std::uint64_t stride =
            std::max<std::uint64_t>(header->entrySize, textSpec(spec).fixedSize());
        list(spec, entry.rva + header->headerSize, header->count, stride, label);
    }

    void context(const Location& location, const std::string& label) {
        constexpr std::uint32_t amd64Size = 1232;
        if (location.size >= amd64Size)
            out_.structure(textSpec("CONTEXT_AMD64"), location.rva, label, location.size);
        else
            out_.bytes(location.rva, location.size, label);
    }

    void codeView(const Location& location, const std::string& label) {
        const auto kind = load<Le32>(location.rva);
        if (!kind || location.size == 0) return;
        if (*kind == codeViewBuildId)
            out_.structure(textSpec("CV_BUILD_ID"), location.rva, label, location.size);
        else if (*kind == codeViewPdb70)
            out_.structure(textSpec("CV_INFO_PDB70"), location.rva, label, location.size);
        else
            out_.bytes(location.rva, location.size, label);
    }

    void stream(const StreamEntry& entry) {
        const auto text = [&](std::string label) {
            out_.structure(textSpec("Text"), entry.rva, std::move(label), entry.size);
        };
        switch (entry.type) {
        case streamSystemInfo:
            out_.structure(textSpec("MINIDUMP_SYSTEM_INFO"), entry.rva, "system");
            if (const auto raw = load<RawSystemInfo>(entry.rva))
                string(raw->versionRva, "system.version");
            break;
        case streamMiscInfo:
            out_.structure(textSpec("MINIDUMP_MISC_INFO"), entry.rva, "misc", entry.size);
            break;
        case streamThreadList:
            counted<RawThread>(
                entry, "MINIDUMP_THREAD", "threads", [&](auto i, const RawThread& raw) {
                    context(raw.context, fmt::format("context.{}", i));
                    memory_.push_back(
                        {raw.stack.memory.rva, raw.stack.memory.size, fmt::format("stack.{}", i)});
                });
            break;
        case streamModuleList:
            counted<RawModule>(entry, "MINIDUMP_MODULE", "modules",
                               [&](auto i, const RawModule& raw) {
                                   string(raw.nameRva, fmt::format("module.{}.name", i));
                                   codeView(raw.codeView, fmt::format("module.{}.codeview", i));
                               });
            break;
        case streamMemoryList:
            counted<MemoryDescriptor>(entry, "MINIDUMP_MEMORY_DESCRIPTOR", "memory",
                                      [&](auto, const MemoryDescriptor& raw) {
                                          memory_.push_back({raw.memory.rva, raw.memory.size,
                                                             "memory." + hexDigits(raw.start, 1)});
                                      });
            break;
        case streamMemory64List: memory64(entry); break;
        case streamException:
            out_.structure(textSpec("MINIDUMP_EXCEPTION_STREAM"), entry.rva, "exception");
            if (const auto raw = load<ExceptionStream>(entry.rva))
                context(raw->context, "exception.context");
            break;
        case streamThreadNames:
            counted<RawThreadName>(entry, "MINIDUMP_THREAD_NAME", "names",
                                   [&](auto i, const RawThreadName& raw) {
                                       string(raw.nameRva, fmt::format("thread.{}.name", i));
                                   });
            break;
        case streamUnloadedModuleList:
            sized<ListHeader>(entry, "ListHeader", "MINIDUMP_UNLOADED_MODULE", "unloaded");
            if (const auto header = load<ListHeader>(entry.rva)) {
                entries<RawUnloadedModule>(
                    entry.rva + header->headerSize, header->count, header->entrySize,
                    [&](auto i, const RawUnloadedModule& raw) {
                        string(raw.nameRva, fmt::format("unloaded.{}.name", i));
                    });
            }
            break;
        case streamThreadInfoList:
            sized<ListHeader>(entry, "ListHeader", "MINIDUMP_THREAD_INFO", "threadinfo");
            break;
        case streamMemoryInfoList:
            sized<ListHeader64>(entry, "ListHeader64", "MINIDUMP_MEMORY_INFO", "regions");
            break;
        case streamHandleData: handles(entry); break;
        case streamLinuxDsoDebug: dsoDebug(entry); break;
        case streamThreadState:
            sized<ListHeader64>(entry, "ListHeader64", "IcecoreThreadState", "threadstate");
            break;
        case streamZeroRanges:
            sized<ListHeader64>(entry, "ListHeader64", "IcecoreZeroRange", "zeros");
            break;
        case streamUnread:
            out_.structure(textSpec("IcecoreUnreadPointer"), entry.rva, "unread");
            if (const auto pointer = load<UnreadPointer>(entry.rva)) unreadList(pointer->offset);
            break;
        case streamInfo: text("icecore.info"); break;
        case streamProcess: text("icecore.process"); break;
        case streamThreads: text("icecore.threads"); break;
        case streamRegions: text("icecore.regions"); break;
        default:
            if (const auto file = std::ranges::find(linuxFiles, entry.type, &LinuxFile::type);
                file != linuxFiles.end() && entry.type != streamLinuxAuxv)
                text(std::string(file->attachment));
            else
                out_.bytes(entry.rva, entry.size, streamName(entry.type));
        }
    }

    void memory64(const StreamEntry& entry) {
        const auto header = load<Memory64Header>(entry.rva);
        if (!header) return;
        out_.structure(textSpec("MINIDUMP_MEMORY64_LIST"), entry.rva, "memory64");
        const std::uint64_t at = entry.rva + sizeof(Memory64Header);
        list("MINIDUMP_MEMORY_DESCRIPTOR64", at, header->count, sizeof(MemoryDescriptor64),
             "memory64");
        std::uint64_t offset = header->base;
        entries<MemoryDescriptor64>(
            at, header->count, sizeof(MemoryDescriptor64),
            [&](auto, const MemoryDescriptor64& raw) {
                if (offset >= source_->size()) return;
                memory_.push_back({offset, raw.size, "memory." + hexDigits(raw.start, 1)});
                offset = checkedAdd(offset, raw.size).value_or(UINT64_MAX);
            });
    }

    void handles(const StreamEntry& entry) {
        const auto header = load<HandleHeader>(entry.rva);
        if (!header) return;
        out_.structure(textSpec("MINIDUMP_HANDLE_DATA_STREAM"), entry.rva, "handles");
        const bool second = header->entrySize >= sizeof(HandleDescriptor2);
        const std::uint64_t stride =
            std::max<std::uint64_t>(header->entrySize, sizeof(HandleDescriptor));
        const std::uint64_t at = entry.rva + std::uint64_t{header->headerSize};
        list(second ? "MINIDUMP_HANDLE_DESCRIPTOR_2" : "MINIDUMP_HANDLE_DESCRIPTOR", at,
             header->count, stride, "handles");
        entries<HandleDescriptor>(at, header->count, stride,
                                  [&](auto i, const HandleDescriptor& raw) {
                                      string(raw.typeNameRva, fmt::format("handle.{}.type", i));
                                      string(raw.objectNameRva, fmt::format("handle.{}.name", i));
                                  });
    }

    void dsoDebug(const StreamEntry& entry) {
        // Which of the two it is, only the architecture knows; the sizes tell them apart as well,
        // since a dynamic section is a whole number of entries.
        const bool is32 =
            entry.size >= sizeof(DsoDebug32) && (entry.size - sizeof(DsoDebug32)) % 8 == 0 &&
            (entry.size < sizeof(DsoDebug64) || (entry.size - sizeof(DsoDebug64)) % 16 != 0);
        if (is32) {
            const auto raw = load<DsoDebug32>(entry.rva);
            if (!raw) return;
            out_.structure(textSpec("MDRawDebug32"), entry.rva, "linker");
            list("MDRawLinkMap32", raw->mapRva, raw->count, sizeof(LinkMap32), "linkmap");
        } else {
            const auto raw = load<DsoDebug64>(entry.rva);
            if (!raw) return;
            out_.structure(textSpec("MDRawDebug64"), entry.rva, "linker");
            list("MDRawLinkMap64", raw->mapRva, raw->count, sizeof(LinkMap64), "linkmap");
            entries<LinkMap64>(raw->mapRva, raw->count, sizeof(LinkMap64),
                               [&](auto i, const LinkMap64& map) {
                                   string(map.nameRva, fmt::format("linkmap.{}.name", i));
                               });
        }
    }

    void unreadList(std::uint64_t offset) {
        const auto header = load<ListHeader64>(offset);
        if (!header) return;
        out_.structure(textSpec("ListHeader64"), offset, "unread.list");
        list("IcecoreUnreadRange", offset + header->headerSize, header->count,
             std::max<std::uint64_t>(header->entrySize, sizeof(UnreadRange)), "unread");
    }

    std::shared_ptr<const Source> source_;
    DumpDescription out_;
    std::vector<Block> memory_;
};

}  // namespace

Result<std::string> describe(std::shared_ptr<const Source> source) {
    return Describer(std::move(source)).describe();
}

Result<std::vector<std::byte>> build(std::string_view text) {
    return buildFromText(text, textSpecs());
}

}  // namespace icecore::minidump
