// A minidump as text and back.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "formats/minidump/describing.h"
#include "formats/minidump/linux_streams.h"
#include "formats/minidump/minidump.h"

namespace icecore::minidump {

namespace {

class Describer : Describing {
public:
    using Describing::Describing;

    Result<std::string> describe() {
        Issues issues;
        auto index = readIndex(*source, issues);
        out.structure(textSpec("MINIDUMP_HEADER"), 0, "header");
        if (index) {
            const std::uint64_t count = index->header.streamCount;
            list("MINIDUMP_DIRECTORY", index->header.directoryRva, count, sizeof(Directory),
                 "directory");
            for (const StreamEntry& entry : index->streams)
                stream(entry);
            // Memory last: what lies inside it is memory.
            for (const Block& block : memory)
                out.bytes(block.offset, block.size, block.label);
        }
        return out.print(fmt::format("minidump {}, {} bytes", source->name(), source->size()));
    }

private:
    void context(const Location& location, const std::string& label) {
        constexpr std::uint32_t amd64Size = 1232;
        if (location.size >= amd64Size)
            out.structure(textSpec("CONTEXT_AMD64"), location.rva, label, location.size);
        else
            out.bytes(location.rva, location.size, label);
    }

    void codeView(const Location& location, const std::string& label) {
        const auto kind = load<Le32>(location.rva);
        if (!kind || location.size == 0) return;
        if (*kind == codeViewBuildId)
            out.structure(textSpec("CV_BUILD_ID"), location.rva, label, location.size);
        else if (*kind == codeViewPdb70)
            out.structure(textSpec("CV_INFO_PDB70"), location.rva, label, location.size);
        else
            out.bytes(location.rva, location.size, label);
    }

    void stream(const StreamEntry& entry) {
        const auto text = [&](std::string label) {
            out.structure(textSpec("Text"), entry.rva, std::move(label), entry.size);
        };
        switch (entry.type) {
        case streamSystemInfo:
            out.structure(textSpec("MINIDUMP_SYSTEM_INFO"), entry.rva, "system");
            if (const auto raw = load<RawSystemInfo>(entry.rva))
                string(raw->versionRva, "system.version");
            break;
        case streamMiscInfo: describeMiscInfo(*this, entry); break;
        case streamSystemMemoryInfo: describeSystemMemory(*this, entry); break;
        case streamProcessVmCounters: describeVmCounters(*this, entry); break;
        case streamToken: describeTokens(*this, entry); break;
        case streamHandleOperationList: describeHandleOperations(*this, entry); break;
        case streamFunctionTable: describeFunctionTables(*this, entry); break;
        case streamCrashpadInfo: describeCrashpad(*this, entry); break;
        case streamMacCrashInfo: describeMacCrashInfo(*this, entry); break;
        case streamMacBootArguments:
            out.structure(textSpec("MDRawMacBootargs"), entry.rva, "boot_arguments");
            if (const auto raw = load<MacBootArguments>(entry.rva))
                string(raw->textRva, "boot_arguments.text");
            break;
        case streamBreakpadInfo:
            out.structure(textSpec("MDRawBreakpadInfo"), entry.rva, "breakpad");
            break;
        case streamAssertionInfo:
            out.structure(textSpec("MDRawAssertionInfo"), entry.rva, "assertion");
            break;
        case streamCommentA: text("comment"); break;
        case streamCommentW:
            out.structure(textSpec("WideText"), entry.rva, "comment", entry.size);
            break;
        case streamThreadList:
            counted<RawThread>(
                entry, "MINIDUMP_THREAD", "threads", [&](auto i, const RawThread& raw) {
                    context(raw.context, fmt::format("context.{}", i));
                    memory.push_back(
                        {raw.stack.memory.rva, raw.stack.memory.size, fmt::format("stack.{}", i)});
                });
            break;
        case streamThreadExList:
            counted<RawThreadEx>(entry, "MINIDUMP_THREAD_EX", "threads",
                                 [&](auto i, const RawThreadEx& raw) {
                                     context(raw.thread.context, fmt::format("context.{}", i));
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
                                          memory.push_back({raw.memory.rva, raw.memory.size,
                                                            "memory." + hexDigits(raw.start, 1)});
                                      });
            break;
        case streamMemory64List: memory64(entry); break;
        case streamException:
            out.structure(textSpec("MINIDUMP_EXCEPTION_STREAM"), entry.rva, "exception");
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
        case streamHandleData: describeHandles(*this, entry); break;
        case streamLinuxDsoDebug: dsoDebug(entry); break;
        case streamThreadState:
            sized<ListHeader64>(entry, "ListHeader64", "IcecoreThreadState", "threadstate");
            break;
        case streamZeroRanges:
            sized<ListHeader64>(entry, "ListHeader64", "IcecoreZeroRange", "zeros");
            break;
        case streamUnread:
            out.structure(textSpec("IcecoreUnreadPointer"), entry.rva, "unread");
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
                out.bytes(entry.rva, entry.size, streamName(entry.type));
        }
    }

    void memory64(const StreamEntry& entry) {
        const auto header = load<Memory64Header>(entry.rva);
        if (!header) return;
        out.structure(textSpec("MINIDUMP_MEMORY64_LIST"), entry.rva, "memory64");
        const std::uint64_t at = entry.rva + sizeof(Memory64Header);
        list("MINIDUMP_MEMORY_DESCRIPTOR64", at, header->count, sizeof(MemoryDescriptor64),
             "memory64");
        std::uint64_t offset = header->base;
        entries<MemoryDescriptor64>(
            at, header->count, sizeof(MemoryDescriptor64),
            [&](auto, const MemoryDescriptor64& raw) {
                if (offset >= source->size()) return;
                memory.push_back({offset, raw.size, "memory." + hexDigits(raw.start, 1)});
                offset = checkedAdd(offset, raw.size).value_or(UINT64_MAX);
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
            out.structure(textSpec("MDRawDebug32"), entry.rva, "linker");
            list("MDRawLinkMap32", raw->mapRva, raw->count, sizeof(LinkMap32), "linkmap");
        } else {
            const auto raw = load<DsoDebug64>(entry.rva);
            if (!raw) return;
            out.structure(textSpec("MDRawDebug64"), entry.rva, "linker");
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
        out.structure(textSpec("ListHeader64"), offset, "unread.list");
        list("IcecoreUnreadRange", offset + header->headerSize, header->count,
             std::max<std::uint64_t>(header->entrySize, sizeof(UnreadRange)), "unread");
    }
};

}  // namespace

Result<std::string> describe(std::shared_ptr<const Source> source) {
    return Describer(std::move(source)).describe();
}

Result<std::vector<std::byte>> build(std::string_view text) {
    return buildFromText(text, textSpecs());
}

}  // namespace icecore::minidump
