// The headers of both widths, as one.
#include <algorithm>

#include "formats/winkernel/reading.h"

namespace icecore::winkernel {

namespace {

template <class Raw>
DumpHeader widen(const Raw& raw, std::uint32_t roomForRuns) {
    DumpHeader out;
    out.majorVersion = raw.majorVersion;
    out.build = raw.build;
    out.machine = raw.machine;
    out.processors = raw.processors;
    out.type = raw.type;
    out.directoryTable = raw.directoryTable;
    out.loadedModules = raw.loadedModules;
    out.debuggerData = raw.debuggerData;
    out.bugCheck = raw.bugCheck;
    for (std::size_t i = 0; i < out.parameters.size(); ++i)
        out.parameters[i] = raw.parameters[i];
    out.systemTime = raw.systemTime;
    out.upTime = raw.upTime;
    out.runCount = raw.runCount;
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(raw.runCount, roomForRuns); ++i)
        out.runs.push_back({raw.runs[i].basePage, raw.runs[i].pageCount});
    const std::string_view comment(raw.comment, sizeof raw.comment);
    // Without a comment the field repeats what fills all unused ones.
    if (!comment.starts_with(filler)) out.comment = comment.substr(0, comment.find('\0'));
    out.context.assign(std::begin(raw.context), std::end(raw.context));
    out.contextAt = offsetof(Raw, context);
    out.runsAt = offsetof(Raw, runCount);
    out.bugCheckAt = offsetof(Raw, bugCheck);
    out.machineAt = offsetof(Raw, machine);
    out.typeAt = offsetof(Raw, type);
    return out;
}

}  // namespace

Result<DumpHeader> readHeader(const Source& source) {
    ASSIGN_OR_RETURN(const SharedBytes start, source.load(0, 8));
    const auto signature = loadInteger<std::uint32_t>(start.span().data());
    const auto valid = loadInteger<std::uint32_t>(start.span().data() + 4);
    if (signature != signaturePage || (valid != valid64 && valid != valid32))
        return fail(Errc::malformed, "not a Windows kernel dump", source.where(0));
    const bool is64 = valid == valid64;
    ASSIGN_OR_RETURN(const SharedBytes bytes, source.load(0, is64 ? headerSize : headerSize32));
    Cursor cursor(ByteView(bytes.span(), source.name()));
    DumpHeader header;
    if (is64) {
        header = widen(cursor.structure<Header64>(), mostRuns);
        header.size = headerSize;
    } else {
        const auto raw = cursor.structure<Header32>();
        header = widen(raw, mostRuns32);
        header.size = headerSize32;
        // Windows 2000 and later; before that the byte is filler, and there was no PAE.
        header.pae = raw.paeEnabled == 1;
        header.is64 = false;
    }
    return header;
}

Driver driverOf(const LoadedModule64& raw) {
    return {raw.next,     raw.base,      raw.fullName.buffer, raw.baseName.buffer, raw.imageSize,
            raw.checksum, raw.timestamp, raw.fullName.length, raw.baseName.length};
}

Driver driverOf(const LoadedModule32& raw) {
    return {raw.next,     raw.base,      raw.fullName.buffer, raw.baseName.buffer, raw.imageSize,
            raw.checksum, raw.timestamp, raw.fullName.length, raw.baseName.length};
}

}  // namespace icecore::winkernel
