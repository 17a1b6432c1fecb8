// Hibernation files, made from a specification: every layout of the header, sets packed in each
// way.
#include "formats/hiberfil/hiberfil.h"

#include <gtest/gtest.h>

#include "bytes/xpress_maker.h"
#include "formats/hiberfil/layout.h"
#include "formats/image/image.h"
#include "formats/image/sample_machine.h"

namespace icecore::hiberfil {
namespace {

using image::testing::MadeUpMemory;
using Bytes = std::vector<std::byte>;

enum class Packing : std::uint8_t { stored, plain, huffmanCoded };

/// Writes a hibernation file as Windows does: its header, then two lists of sets.
class HiberMaker {
public:
    explicit HiberMaker(const Layout& layout, std::string_view mark = "HIBR") : layout_(layout) {
        file_.resize(pageSize);
        std::ranges::copy(std::as_bytes(std::span(mark)), file_.begin());
        put<std::uint32_t>(lengthAt, layout.length);
        put<std::uint32_t>(layout.pageSizeAt, pageSize);
        put<std::uint64_t>(layout.systemTimeAt, 133'000'000'000'000'000);
    }
    /// Pages of both lists; each set is packed in another way, has up to three runs.
    void section(bool kernel, const std::vector<std::uint64_t>& pages) {
        file_.resize(alignUp(file_.size(), pageSize));
        number(kernel ? layout_.kernelPageAt : layout_.bootPageAt, file_.size() / pageSize);
        put<std::uint64_t>(kernel ? layout_.kernelPagesAt : layout_.loaderPagesAt, pages.size());
        for (std::size_t at = 0; at < pages.size();) {
            const std::size_t count = std::min<std::size_t>(16, pages.size() - at);
            set(std::span(pages).subspan(at, count));
            at += count;
        }
    }
    [[nodiscard]] Bytes finish() { return file_; }

private:
    template <class T>
    void put(std::size_t at, T value) {
        storeInteger(file_.data() + at, value);
    }
    void number(std::size_t at, std::uint64_t value) {
        layout_.wide ? put<std::uint64_t>(at, value)
                     : put<std::uint32_t>(at, static_cast<std::uint32_t>(value));
    }
    void set(std::span<const std::uint64_t> pages) {
        Bytes content;
        std::vector<std::uint64_t> runs;
        for (const std::uint64_t page : pages) {
            for (std::uint64_t i = 0; i < pageSize; ++i)
                content.push_back(MadeUpMemory::byteAt(page * pageSize + i));
            const std::uint64_t last = runs.empty() ? 0 : runs.back();
            if (!runs.empty() && (last >> runBits) + (last & 15) + 1 == page)
                ++runs.back();
            else
                runs.push_back(page << runBits);
        }
        const auto how = static_cast<Packing>(sets_++ % 3);
        Bytes packed = how == Packing::stored  ? content
                       : how == Packing::plain ? testing::packXpress(content)
                                               : testing::packXpressHuffman(content);
        const bool isStored = packed.size() >= content.size();
        if (isStored) packed = content;
        std::uint32_t head = static_cast<std::uint32_t>(runs.size()) |
                             static_cast<std::uint32_t>(packed.size()) << packedShift;
        if (how == Packing::huffmanCoded) head |= huffman;
        appendInteger(file_, head);
        for (const std::uint64_t run : runs) {
            if (layout_.wide)
                appendInteger(file_, run);
            else
                appendInteger(file_, static_cast<std::uint32_t>(run));
        }
        file_.insert(file_.end(), packed.begin(), packed.end());
    }

    Layout layout_;
    Bytes file_;
    unsigned sets_ = 0;
};

std::vector<std::uint64_t> pagesOf(Range range) {
    std::vector<std::uint64_t> pages;
    for (std::uint64_t at = range.begin(); at < range.end(); at += pageSize)
        pages.push_back(at / pageSize);
    return pages;
}

/// Kernel pages in three ranges, one above 4 GiB where that can be; some for the loader.
std::vector<Range> kernelRanges(bool wide) {
    return {Range::between(0x1000, 0x9f000), Range::between(0x100000, 0x123000),
            Range::ofSize(wide ? 0x140000000 : 0x7f000000, 0x25000)};
}
const Range loaderRange = Range::between(0x200000, 0x20b000);

Bytes fileOf(const Layout& layout, std::string_view mark = "HIBR") {
    std::vector<std::uint64_t> kernel;
    for (const Range& range : kernelRanges(layout.wide)) {
        const auto pages = pagesOf(range);
        kernel.insert(kernel.end(), pages.begin(), pages.end());
    }
    HiberMaker maker(layout, mark);
    maker.section(false, pagesOf(loaderRange));
    maker.section(true, kernel);
    return maker.finish();
}

Result<Snapshot> open(Bytes bytes) {
    const auto source = memorySource(std::move(bytes), "hiberfil.sys");
    const auto format = recognise(*source);
    if (!format) return std::unexpected(format.error());
    EXPECT_EQ((*format)->name, "hiberfil");
    return (*format)->open(source);
}

void expectSame(const AddressSpace& memory, Range range) {
    Bytes page(pageSize);
    for (std::uint64_t at = range.begin(); at < range.end(); at += pageSize) {
        ASSERT_EQ(memory.read(at, page).bytes, page.size()) << at;
        for (std::size_t i = 0; i < page.size(); ++i)
            ASSERT_EQ(page[i], MadeUpMemory::byteAt(at + i)) << at + i;
    }
}

TEST(Hiberfil, EveryLayout) {
    for (const Layout& layout : layouts) {
        SCOPED_TRACE(layout.length);
        const auto snapshot = open(fileOf(layout));
        ASSERT_TRUE(snapshot) << snapshot.error().describe();
        EXPECT_FALSE(snapshot->issues.lossy());
        std::vector<Range> wanted = kernelRanges(layout.wide);
        wanted.insert(wanted.begin() + 2, loaderRange);
        EXPECT_EQ(image::storedRanges(*snapshot->machine->physical), wanted);
        for (const Range& range : wanted)
            expectSame(*snapshot->machine->physical, range);
        EXPECT_EQ(snapshot->machine->system.os, Os::windows);
        EXPECT_EQ(snapshot->machine->system.arch, layout.wide ? Arch::x86_64 : Arch::x86);
        EXPECT_TRUE(snapshot->provenance.time);
    }
}

TEST(Hiberfil, WhatIsOddIsSaid) {
    const auto used = open(fileOf(layouts[1], "wake"));
    ASSERT_TRUE(used);
    EXPECT_NE(used->issues.items().front().message.find("resumed"), std::string::npos);
    Bytes unknown = fileOf(layouts[1]);
    storeInteger(unknown.data() + lengthAt, std::uint32_t{0x123});
    const auto refused = open(unknown);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    // A page that is there twice: what the kernel saved counts.
    HiberMaker maker(layouts[2]);
    maker.section(false, {5, 6});
    maker.section(true, {6, 7});
    const auto twice = open(maker.finish());
    ASSERT_TRUE(twice);
    EXPECT_FALSE(twice->issues.lossy());
    expectSame(*twice->machine->physical, Range::between(0x5000, 0x8000));
}

Bytes smallFile() {
    HiberMaker maker(layouts[2]);
    maker.section(false, {2});
    maker.section(true, {0x10, 0x11, 0x13, 0x15});
    return maker.finish();
}

/// Reads all that it says it has; nothing else than what was there.
void use(Bytes bytes, bool same) {
    const auto snapshot = open(std::move(bytes));
    if (!snapshot) {
        EXPECT_FALSE(snapshot.error().message.empty());
        return;
    }
    const AddressSpace& memory = *snapshot->machine->physical;
    Bytes page(pageSize);
    bool complete = true;
    for (const Extent& extent : memory.extents(Range::all()))
        (void)memory.read(extent.range.begin(), page);
    for (const std::uint64_t number : {2U, 0x10U, 0x11U, 0x13U, 0x15U}) {
        if (!same) break;
        const ReadOutcome got = memory.read(number * pageSize, page);
        for (std::size_t i = 0; i < got.bytes; ++i)
            ASSERT_EQ(page[i], MadeUpMemory::byteAt(number * pageSize + i));
        complete &= got.bytes == page.size();
    }
    EXPECT_TRUE(complete || snapshot->issues.lossy());
}

TEST(Hiberfil, CutAtEveryOffset) {
    const Bytes file = smallFile();
    for (std::size_t cut = 0; cut < file.size(); cut += cut > 4096 && cut % 4096 < 200 ? 1 : 23)
        use({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(cut)}, true);
}

TEST(Hiberfil, EveryFieldWrong) {
    const Bytes file = smallFile();
    for (std::size_t at = 0; at + 8 <= file.size(); at += at % 4096 < 0x240 ? 4 : 97) {
        for (const std::uint64_t value :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xffff}, std::uint64_t{1} << 31,
              std::uint64_t{1} << 51, std::uint64_t{UINT64_MAX}}) {
            Bytes broken = file;
            storeInteger(broken.data() + at, value);
            const auto source = memorySource(broken, "hiberfil.sys");
            if (hiberfilFormat().probe(*source)) use(std::move(broken), false);
        }
    }
}

}  // namespace
}  // namespace icecore::hiberfil
