// Streams that only Windows writes, made byte by byte.
#include <gtest/gtest.h>

#include "formats/minidump/layout.h"
#include "formats/minidump/minidump.h"

namespace icecore::minidump {
namespace {

template <class T>
void append(std::vector<std::byte>& out, const T& what) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&what);
    out.insert(out.end(), bytes, bytes + sizeof what);
}

/// A minidump of x64 Windows with a thread at `teb`, one page of memory there, and `stream`.
std::vector<std::byte> dumpWith(std::uint32_t type, const std::vector<std::byte>& stream) {
    constexpr std::uint64_t teb = 0x7ff000;
    constexpr std::uint32_t page = 4096;
    std::vector<std::byte> file;
    Header header{};
    header.signature = signature;
    header.version = version;
    header.streamCount = 4;
    header.directoryRva = sizeof(Header);
    append(file, header);
    const std::uint32_t systemAt = sizeof(Header) + 4 * sizeof(Directory);
    const std::uint32_t threadsAt = systemAt + sizeof(RawSystemInfo);
    const std::uint32_t memoryAt = threadsAt + 4 + sizeof(RawThread);
    const std::uint32_t pageAt = memoryAt + 4 + sizeof(MemoryDescriptor);
    const std::uint32_t streamAt = pageAt + page;
    const auto directory = [&](std::uint32_t what, std::size_t size, std::uint32_t at) {
        Directory entry{};
        entry.type = what;
        entry.location.size = static_cast<std::uint32_t>(size);
        entry.location.rva = at;
        append(file, entry);
    };
    directory(streamSystemInfo, sizeof(RawSystemInfo), systemAt);
    directory(streamThreadList, 4 + sizeof(RawThread), threadsAt);
    directory(streamMemoryList, 4 + sizeof(MemoryDescriptor), memoryAt);
    directory(type, stream.size(), streamAt);
    RawSystemInfo system{};
    system.architecture = cpuAmd64;
    system.platform = platformWindows;
    system.major = 10;
    append(file, system);
    append(file, Le32{1});
    RawThread thread{};
    thread.id = 77;
    thread.teb = teb;
    append(file, thread);
    append(file, Le32{1});
    MemoryDescriptor memory{};
    memory.start = teb;
    memory.memory.size = page;
    memory.memory.rva = pageAt;
    append(file, memory);
    file.resize(streamAt);
    storeInteger(file.data() + pageAt + 0x60, std::uint64_t{0x7fe000});
    file.insert(file.end(), stream.begin(), stream.end());
    return file;
}

std::vector<std::byte> functionTables() {
    std::vector<std::byte> stream;
    FunctionTableHeader header{};
    header.headerSize = sizeof(FunctionTableHeader);
    header.descriptorSize = sizeof(FunctionTableDescriptor);
    header.nativeSize = 16;
    header.entrySize = 12;
    header.count = 2;
    append(stream, header);
    for (std::uint32_t i = 0; i < 2; ++i) {
        FunctionTableDescriptor table{};
        table.minimum = 0x10000 * (i + 1);
        table.maximum = 0x10000 * (i + 1) + 0x1000;
        table.base = 0x10000 * (i + 1);
        table.entryCount = i + 1;
        table.padding = 4;
        append(stream, table);
        stream.resize(stream.size() + 16);  // the system's own structure
        for (std::uint32_t entry = 0; entry <= i; ++entry) {
            append(stream, Le32{0x100 * entry});
            append(stream, Le32{0x100 * entry + 0x80});
            append(stream, Le32{0x800 + entry});
        }
        stream.resize(stream.size() + 4);
    }
    return stream;
}

Snapshot read(std::vector<std::byte> file) {
    auto snapshot = open(memorySource(std::move(file), "dump"));
    EXPECT_TRUE(snapshot) << snapshot.error().describe();
    return snapshot ? *std::move(snapshot) : Snapshot{};
}

TEST(WindowsStreams, FunctionTablesOfMadeCode) {
    const Snapshot snapshot = read(dumpWith(streamFunctionTable, functionTables()));
    EXPECT_TRUE(snapshot.issues.items().empty());
    const auto& tables = snapshot.process->functionTables;
    ASSERT_EQ(tables.size(), 2U);
    EXPECT_EQ(tables.coverage, Coverage::complete);
    EXPECT_EQ(tables[1].range, Range::ofSize(0x20000, 0x1000));
    EXPECT_EQ(tables[1].base, 0x20000U);
    EXPECT_EQ(tables[1].entrySize, 12U);
    ASSERT_EQ(tables[1].entries.size(), 24U);
    EXPECT_EQ(loadInteger<std::uint32_t>(tables[1].entries.span().data() + 20), 0x801U);
}

TEST(WindowsStreams, ThePebIsFoundThroughAThread) {
    const Snapshot snapshot = read(dumpWith(streamFunctionTable, functionTables()));
    EXPECT_EQ(snapshot.process->peb, 0x7fe000U);
    EXPECT_EQ(snapshot.process->threads[0].tls, 0x7ff000U);
}

TEST(WindowsStreams, DamagedFunctionTablesAreToldAndBounded) {
    const std::vector<std::byte> whole = functionTables();
    // Every field of the header and of the first table, with values that are too small or huge.
    for (std::size_t at = 0; at < sizeof(FunctionTableHeader) + sizeof(FunctionTableDescriptor);
         at += 4) {
        for (const std::uint32_t value : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
            std::vector<std::byte> broken = whole;
            storeInteger(broken.data() + at, value);
            const Snapshot snapshot = read(dumpWith(streamFunctionTable, broken));
            EXPECT_LE(snapshot.process->functionTables.size(), 2U) << at;
        }
    }
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Snapshot snapshot =
            read(dumpWith(streamFunctionTable,
                          {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}));
        EXPECT_LE(snapshot.process->functionTables.size(), 2U);
        // The last four bytes are padding; without any others something is missing, and said.
        if (size + 4 < whole.size()) {
            EXPECT_FALSE(snapshot.issues.items().empty()) << size;
            EXPECT_NE(snapshot.process->functionTables.coverage, Coverage::complete);
        }
    }
}

}  // namespace
}  // namespace icecore::minidump
