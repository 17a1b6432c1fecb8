// AFF4 as others write it: dialects, symbolic streams, several volumes, and archives that lie.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "formats/aff4/aff4_parts.h"
#include "formats/aff4/image_stream.h"
#include "formats/aff4/map_space.h"
#include "formats/aff4/zip_layout.h"
#include "formats/aff4/zip_writer.h"
#include "formats/image/image.h"
#include "support/scratch.h"

namespace icecore::aff4 {
namespace {

using Bytes = std::vector<std::byte>;

ByteView viewOf(std::string_view text) {
    return ByteView(std::as_bytes(std::span(text)));
}

TEST(Turtle, WhatAff4Writes) {
    const auto graph = parseTurtle(
        viewOf("@prefix : <aff4://vol> .\n@prefix aff4: <http://aff4.org/Schema#> .\n"
               "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>\n"
               "# a remark\n"
               "<aff4://a> a aff4:Map , aff4:Image ; aff4:size \"12\"^^xsd:long ;\n"
               "  aff4:hash \"ab\"^^aff4:SHA1, 'cd'^^aff4:MD5 ; aff4:stored : ; .\n"
               "<aff4://b> aff4:size 7 ; aff4:name \"\"\"two\nlines\\t\\u0041\"\"\"@en .\n"));
    ASSERT_TRUE(graph) << graph.error().describe();
    EXPECT_TRUE(graph->isA("aff4://a", "aff4:Map"));
    EXPECT_TRUE(graph->isA("aff4://a", "aff4:image"));
    EXPECT_EQ(graph->number("aff4://a", "aff4:size"), 12U);
    EXPECT_EQ(graph->number("aff4://b", "aff4:size"), 7U);
    EXPECT_EQ(graph->all("aff4://a", "aff4:hash").size(), 2U);
    EXPECT_EQ(graph->one("aff4://a", "aff4:stored")->value, "aff4://vol");
    EXPECT_EQ(graph->one("aff4://b", "aff4:name")->value, "two\nlines\tA");
}

TEST(Turtle, DamagedTextIsRefused) {
    for (const std::string_view text :
         {"<a> <b>", "<a> <b> \"c", "<a> <b> <c", "x:y <b> <c> .", "@prefix a <b> .",
          "<a> <b> <c> <d> .", "@nonsense .", "\"a\" <b> <c> .", "<a> \"b\" <c> .", "<a> <b> ; ."})
        EXPECT_FALSE(parseTurtle(viewOf(text))) << text;
    const std::string whole = "<aff4://a> <b> \"c\\u0041\"^^<d> , <e> ; a <f> .";
    for (std::size_t size = 0; size < whole.size(); ++size)
        (void)parseTurtle(viewOf(std::string_view(whole).substr(0, size)));
}

struct Archive {
    MemorySink sink;
    ZipWriter zip{sink};
    void add(std::string_view name, std::string_view text) { EXPECT_TRUE(zip.add(name, text)); }
    void add(std::string_view name, const Bytes& bytes) {
        EXPECT_TRUE(zip.add(name, std::span(bytes)));
    }
    std::shared_ptr<const Source> finish(std::string_view comment) {
        EXPECT_TRUE(zip.finish(comment));
        return memorySource(sink.bytes(), "image.aff4");
    }
};

Bytes mapOf(std::initializer_list<std::array<std::uint64_t, 4>> entries) {
    Bytes bytes;
    for (const auto& [offset, length, target, stream] : entries) {
        appendInteger(bytes, offset);
        appendInteger(bytes, length);
        appendInteger(bytes, target);
        appendInteger(bytes, static_cast<std::uint32_t>(stream));
    }
    return bytes;
}

std::string packed(const std::string& text) {
    std::string out;
    snappy::Compress(text.data(), text.size(), &out);
    return out;
}

Result<Snapshot> openAny(const std::shared_ptr<const Source>& source) {
    const auto format = recognise(*source);
    if (!format) return std::unexpected(format.error());
    EXPECT_EQ((*format)->name, "aff4");
    return (*format)->open(source);
}

TEST(Aff4, WinPmem21) {
    // Its own words for the same things, and members below the volume.
    Archive archive;
    const std::string page(4096, 'p');
    const std::string chunk = packed(page);
    archive.add("container.description", "aff4://v");
    archive.add("PhysicalMemory/data/00000000", chunk);
    Bytes index;
    appendInteger(index, std::uint64_t{0});
    appendInteger(index, static_cast<std::uint32_t>(chunk.size()));
    archive.add("PhysicalMemory/data/00000000.index", index);
    archive.add("PhysicalMemory/map", mapOf({{0x1000, 0x1000, 0, 0}, {0x5000, 0x1000, 0x5000, 1}}));
    archive.add("PhysicalMemory/idx",
                "aff4://v/PhysicalMemory/data\nhttp://aff4.org/Schema#UnreadableData\n");
    archive.add("information.turtle",
                "@prefix aff4: <http://aff4.org/Schema#> .\n"
                "<aff4://v/PhysicalMemory> a aff4:map ; aff4:stored <aff4://v> .\n"
                "<aff4://v/PhysicalMemory/data> a aff4:image ; aff4:chunk_size 4096 ;\n"
                " aff4:chunks_per_segment 16 ; aff4:size 4096 ;\n"
                " aff4:compression <https://github.com/google/snappy> .\n");
    const auto snapshot = openAny(archive.finish(""));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_FALSE(snapshot->issues.lossy());
    const AddressSpace& memory = *snapshot->machine->physical;
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x1fff), 'p');
    std::byte one[1];
    EXPECT_EQ(memory.read(0x5000, one).stopped, Absence::unreadable);
    EXPECT_EQ(memory.read(0x0, one).stopped, Absence::not_mapped);
}

TEST(Aff4, BeforeTheStandard) {
    // The index says where chunks end; symbolic streams are named otherwise.
    Archive archive;
    const std::string first = packed(std::string(4096, 'a'));
    const std::string stored(4096, 'b');
    archive.add("aff4%3A%2F%2Fs/00000000", first + stored);
    Bytes index;
    appendInteger(index, static_cast<std::uint32_t>(first.size()));
    appendInteger(index, static_cast<std::uint32_t>(first.size() + stored.size()));
    archive.add("aff4%3A%2F%2Fs/00000000/index", index);
    archive.add("aff4%3A%2F%2Fm/map", mapOf({{0, 0x2000, 0, 0},
                                             {0x2000, 0x1000, 0, 1},
                                             {0x3000, 0x1000, 0, 2},
                                             {0x4000, 0x1000, 0, 3}}));
    archive.add("aff4%3A%2F%2Fm/idx",
                "aff4://s\r\nhttp://afflib.org/2009/aff4#Zero\r\nhttp://afflib.org/2009/aff4#FF\r\n"
                "http://afflib.org/2012/SymbolicStream#61\r\n");
    archive.add("information.turtle",
                "@prefix aff4: <http://afflib.org/2009/aff4#> .\n"
                "<aff4://m> a aff4:map , aff4:Image .\n"
                "<aff4://s> a aff4:stream ; aff4:chunk_size \"4096\" ; aff4:size \"8192\" ;\n"
                " aff4:chunks_in_segment \"2048\" ;\n"
                " aff4:CompressionMethod <http://code.google.com/p/snappy/> .\n");
    const auto snapshot = openAny(archive.finish(std::string_view("aff4://v\0", 9)));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    const AddressSpace& memory = *snapshot->machine->physical;
    EXPECT_EQ(memory.readInteger<std::uint16_t>(0xfff), 0x6261);
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x2000), 0);
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x3000), 0xff);
    EXPECT_EQ(memory.readInteger<std::uint8_t>(0x4fff), 0x61);
    const auto extents = memory.extents(Range::all());
    ASSERT_EQ(extents.size(), 3U);
    EXPECT_TRUE(extents[1].zero);
}

TEST(Aff4, StripedOverTwoVolumes) {
    const tests::Scratch scratch;
    const auto volume = [&](const std::string& name, const std::string& own,
                            const std::string& other, char letter) {
        Archive archive;
        archive.add("aff4%3A%2F%2Fs" + own + "/00000000", std::string(4096, letter));
        Bytes index;
        appendInteger(index, std::uint64_t{0});
        appendInteger(index, std::uint32_t{4096});
        archive.add("aff4%3A%2F%2Fs" + own + "/00000000.index", index);
        archive.add("aff4%3A%2F%2Fm" + own + "/map",
                    mapOf({{0, 0x1000, 0, own == "1" ? 0U : 1U},
                           {0x1000, 0x1000, 0, own == "1" ? 1U : 0U}}));
        archive.add("aff4%3A%2F%2Fm" + own + "/idx",
                    "aff4://s" + own + "\naff4://s" + other + "\n");
        archive.add("information.turtle",
                    "@prefix aff4: <http://aff4.org/Schema#> .\n"
                    "<aff4://i> a aff4:Image ; aff4:dataStream <aff4://m" +
                        own +
                        "> .\n"
                        "<aff4://m" +
                        own + "> a aff4:Map ; aff4:stored <aff4://v" + own +
                        "> .\n"
                        "<aff4://s" +
                        own +
                        "> a aff4:ImageStream ; aff4:size 4096 ;"
                        " aff4:chunkSize 4096 ; aff4:stored <aff4://v" +
                        own +
                        "> .\n"
                        "<aff4://s" +
                        other + "> a aff4:ImageStream ; aff4:stored <aff4://v" + other + "> .\n");
        const auto source = archive.finish("aff4://v" + own);
        const auto bytes = source->load(0, source->size());
        std::ofstream(scratch.file(name), std::ios::binary) << bytes->text();
    };
    volume("a.aff4", "1", "2", 'x');
    const auto half = openDump(scratch.file("a.aff4"));
    ASSERT_TRUE(half) << half.error().describe();
    EXPECT_TRUE(half->issues.lossy());
    std::byte one[1];
    EXPECT_EQ(half->machine->physical->read(0x1000, one).stopped, Absence::truncated);
    volume("b.aff4", "2", "1", 'y');
    for (const char* const name : {"a.aff4", "b.aff4"}) {
        const auto whole = openDump(scratch.file(name));
        ASSERT_TRUE(whole);
        EXPECT_FALSE(whole->issues.lossy()) << name;
        EXPECT_EQ(whole->machine->physical->readInteger<std::uint16_t>(0xfff), 0x7978) << name;
    }
}

TEST(Aff4, ClaimsOfTerabytesCostNothing) {
    Archive archive;
    archive.add("aff4%3A%2F%2Fs/00000000", "nothing");
    Bytes index;
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1} << 60}) {
        appendInteger(index, offset);
        appendInteger(index, std::uint32_t{0xfffffff0});
    }
    archive.add("aff4%3A%2F%2Fs/00000000.index", index);
    archive.add("aff4%3A%2F%2Fm/map", mapOf({{0, std::uint64_t{1} << 50, 0, 0},
                                             {UINT64_MAX - 5, 100, 0, 0},
                                             {std::uint64_t{1} << 51, 5, 0, 77}}));
    archive.add("aff4%3A%2F%2Fm/idx", "aff4://s\n");
    archive.add("information.turtle",
                "@prefix aff4: <http://aff4.org/Schema#> .\n<aff4://m> a aff4:Map .\n"
                "<aff4://s> a aff4:ImageStream ; aff4:size 1125899906842624 ; "
                "aff4:chunkSize 67108864 .\n");
    const auto snapshot = openAny(archive.finish("aff4://v"));
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_TRUE(snapshot->issues.lossy());  // two entries that cannot be
    std::byte one[1];
    EXPECT_EQ(snapshot->machine->physical->read(0, one).bytes, 0U);
    EXPECT_EQ(snapshot->machine->physical->read(67108864, one).bytes, 0U);
    // Proportions that would have to be allocated are refused before anything is.
    for (const auto& [chunk, count] :
         {std::pair{"0", "5"}, {"4294967296", "5"}, {"4096", "0"}, {"4096", "99999999"}}) {
        Graph wrong;
        wrong.add("s", "aff4:chunkSize", {chunk, {}, false});
        wrong.add("s", "aff4:chunksInSegment", {count, {}, false});
        EXPECT_FALSE(shapeOf(wrong, "s")) << chunk << " " << count;
    }
}

TEST(Aff4, VerifyFindsAWrongByte) {
    // What we write is whole by its own hashes; one byte of a bevy, and it no longer is.
    Snapshot snapshot;
    snapshot.machine.emplace();
    Bytes memory(300000);
    for (std::size_t i = 0; i < memory.size(); ++i)
        memory[i] = static_cast<std::byte>(i * 2654435761U >> 13);
    const auto source = memorySource(memory, "m.raw");
    snapshot.machine->physical = formatByName("raw")->open(source)->machine->physical;
    SilentProgress progress;
    for (const Codec codec : {Codec::none, Codec::snappy, Codec::lz4, Codec::deflate}) {
        MemorySink sink;
        ImageOptions options;
        options.codec = codec;
        ASSERT_TRUE(writeImage(snapshot, options, sink, progress));
        const auto good = [&](const Bytes& bytes) {
            const auto checks = verify(memorySource(bytes, "v.aff4"), progress);
            return checks && std::ranges::all_of(*checks, &FormatCheck::good);
        };
        EXPECT_TRUE(good(sink.bytes())) << toString(codec);
        const auto checks = verify(memorySource(sink.bytes(), "v.aff4"), progress);
        ASSERT_TRUE(checks);
        EXPECT_GE(checks->size(), 6U);
        Bytes broken = sink.bytes();
        broken[5000] ^= std::byte{1};
        EXPECT_FALSE(good(broken)) << toString(codec);

        options.blockHashes = false;
        MemorySink bare;
        ASSERT_TRUE(writeImage(snapshot, options, bare, progress));
        EXPECT_TRUE(good(bare.bytes())) << toString(codec);
        EXPECT_LT(bare.bytes().size() + memory.size() / 32768 * 32, sink.bytes().size());
        const auto fewer = verify(memorySource(bare.bytes(), "v.aff4"), progress);
        ASSERT_TRUE(fewer);
        const auto said = [&](std::string_view text) {
            return std::ranges::any_of(*fewer, [&](const FormatCheck& check) {
                return check.what.find(text) != std::string::npos ||
                       check.result.find(text) != std::string::npos;
            });
        };
        EXPECT_TRUE(said("they have no hashes"));
        EXPECT_TRUE(said("mapPointHash"));
        EXPECT_FALSE(said("blockMapHash"));
        const auto again = openAny(memorySource(bare.bytes(), "v.aff4"));
        ASSERT_TRUE(again);
        Bytes back(memory.size());
        EXPECT_EQ(again->machine->physical->read(0, back).bytes, back.size());
        EXPECT_EQ(back, memory);
    }
}

TEST(Zip, NamesSizesAndChecksums) {
    Archive archive;
    archive.add("one", "first");
    archive.add("two", "second");
    archive.add("one", "again");
    const auto source = archive.finish("a remark");
    const auto zip = ZipReader::open(source);
    ASSERT_TRUE(zip) << zip.error().describe();
    EXPECT_EQ(zip->comment(), "a remark");
    ASSERT_NE(zip->find("one"), nullptr);
    EXPECT_EQ(zip->load(*zip->find("one"), 100)->text(), "again");
    EXPECT_FALSE(zip->load(*zip->find("two"), 3));
    EXPECT_EQ(zip->find("three"), nullptr);
    Bytes broken = archive.sink.bytes();
    broken[34] = std::byte{'x'};  // in the first "first"; and then where "second" lies
    broken[34 + 38] = std::byte{'x'};
    const auto damaged = ZipReader::open(memorySource(broken, "z"));
    ASSERT_TRUE(damaged);
    EXPECT_FALSE(damaged->load(*damaged->find("two"), 100));
    // As other tools see it.
    const tests::Scratch scratch;
    std::ofstream(scratch.file("z.zip"), std::ios::binary)
        << source->load(0, source->size())->text();
    EXPECT_EQ(tests::shell("python3 -m zipfile -t " + scratch.file("z.zip")).status, 0);
}

}  // namespace
}  // namespace icecore::aff4
