#include "symbols/pdb/pdb_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <map>
#include <thread>

#include "base/text.h"
#include "images/pe_image.h"
#include "support/msf_writer.h"
#include "support/windows_build.h"
#include "support/windows_shapes.h"
#include "symbols/msvc_name.h"

namespace icecore::pdb {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct PlainFrame {
    std::string function, file;
    std::uint32_t line = 0;
    bool operator==(const PlainFrame&) const = default;
};

void PrintTo(const PlainFrame& frame, std::ostream* out) {
    *out << frame.function << " " << frame.file << ":" << frame.line;
}

std::vector<PlainFrame> ourFrames(const PdbFile& file, std::uint32_t address) {
    std::vector<PlainFrame> frames;
    for (const SymbolFrame& frame : file.locate(address, false).frames)
        frames.push_back(
            {frame.function, frame.file.substr(frame.file.find_last_of("/\\") + 1), frame.line});
    return frames;
}

/// The shapes, built for one machine.
class PdbFiles : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
        ASSERT_EQ(
            tests::buildForWindows(
                folder_, tests::windowsShapes,
                {.arch = GetParam(), .compile = "-O2 -fno-rtti", .link = "/dll " + linkOptions}),
            "");
        image_ = PeImage::open(*openMappedFile(folder_ / "a.dll")).value_or(nullptr);
        ASSERT_NE(image_, nullptr);
        file_ = open(folder_ / "a.pdb");
        ASSERT_NE(file_, nullptr);
    }
    static std::shared_ptr<const PdbFile> open(const fs::path& path) {
        auto source = openMappedFile(path);
        return source ? PdbFile::open(*source).value_or(nullptr) : nullptr;
    }
    static std::shared_ptr<const PdbFile> open(tests::Bytes bytes) {
        return PdbFile::open(memorySource(std::move(bytes), "made.pdb")).value_or(nullptr);
    }
    [[nodiscard]] std::vector<tests::Bytes> streams() const {
        return tests::readAllStreams(**MsfFile::open(*openMappedFile(folder_ / "a.pdb")));
    }
    [[nodiscard]] const PeSection& text() const { return image_->sections().front(); }
    /// Answers must be those of the file as the linker wrote it.
    void expectSame(const PdbFile& other) const {
        for (std::uint32_t at = 0; at < text().virtualSize; at += 3) {
            const std::uint32_t address = text().address + at;
            ASSERT_EQ(ourFrames(other, address), ourFrames(*file_, address)) << hex(address);
        }
        const auto found = other.byName("ice::Thing::run");
        ASSERT_TRUE(found.has_value());
        EXPECT_EQ(found->address, file_->byName("ice::Thing::run")->address);
    }

    std::string linkOptions;
    const tests::Scratch scratch_;
    const fs::path folder_ = scratch_.file("");
    std::shared_ptr<const PeImage> image_;
    std::shared_ptr<const PdbFile> file_;
};

/// What llvm-symbolizer says of every address of the code, in order.
std::map<std::uint32_t, std::vector<PlainFrame>> llvmFrames(const fs::path& folder,
                                                            const PeSection& section) {
    {
        std::ofstream list(folder / "addresses");
        for (std::uint32_t at = 0; at < section.virtualSize; ++at)
            list << hex(section.address + at) << '\n';
    }
    const auto ran = tests::shell(
        "llvm-symbolizer-19 --relative-address --inlines --no-demangle --output-style=GNU "
        "--functions=linkage -e '" +
        (folder / "a.dll").string() + "' --addresses < '" + (folder / "addresses").string() + "'");
    std::map<std::uint32_t, std::vector<PlainFrame>> all;
    std::optional<std::uint64_t> first;
    std::vector<PlainFrame>* current = nullptr;
    const auto lines = split(ran.text, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].starts_with("0x")) {
            // It adds the image's preferred base to what it prints.
            const std::uint64_t address = parseHex(lines[i]).value_or(0);
            if (!first) first = address;
            current = &all[static_cast<std::uint32_t>(section.address + (address - *first))];
            continue;
        }
        if (current == nullptr || i + 1 >= lines.size()) continue;
        PlainFrame frame;
        if (lines[i] != "??") frame.function = msvcName(lines[i]);
        const std::string_view place = lines[++i];
        const std::size_t colon = place.rfind(':');
        const std::string_view path = place.substr(0, colon);
        if (path != "??") frame.file = path.substr(path.find_last_of("/\\") + 1);
        std::string_view number = place.substr(colon + 1);
        number = number.substr(0, number.find(' '));
        frame.line = static_cast<std::uint32_t>(parseDecimal(number).value_or(0));
        current->push_back(frame);
    }
    return all;
}

TEST_P(PdbFiles, framesAndLinesAreThoseOfLlvmSymbolizer) {
    const auto expected = llvmFrames(folder_, text());
    ASSERT_EQ(expected.size(), text().virtualSize);
    const bool x86 = std::string_view(GetParam()) == "i686";
    std::size_t inlined = 0;
    for (const auto& [address, theirs] : expected) {
        const auto ours = ourFrames(*file_, address);
        inlined += ours.size() > 2;
        ASSERT_EQ(ours.size(), theirs.size()) << hex(address);
        for (std::size_t i = 0; i < ours.size(); ++i) {
            EXPECT_EQ(ours[i].file, theirs[i].file) << hex(address);
            // Where two lines begin at one address LLVM takes the first, which has no code.
            if (file_->locate(address, false).frames[i].functionOffset != 0) {
                EXPECT_EQ(ours[i].line, theirs[i].line) << hex(address);
            }
            // Of the physical function it gives the public, mangled name; of inlines the plain one.
            const std::string& name = theirs[i].function;
            if (i + 1 == ours.size())
                EXPECT_EQ(ours[i].function, x86 ? withoutX86Decoration(name) : name)
                    << hex(address);
            else
                EXPECT_EQ(ours[i].function, name) << hex(address);
        }
    }
    EXPECT_GT(inlined, 10U) << "calls in calls that were compiled inline are what this is about";
}

TEST_P(PdbFiles, identityIsTheImages) {
    const auto view = image_->codeView();
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(file_->identity().id(), view->id());
    EXPECT_TRUE(file_->identity().matches(view->id()));
    EXPECT_FALSE(file_->identity().matches(view->id() + "1"));
    EXPECT_EQ(file_->machine(), image_->machine());
    EXPECT_FALSE(file_->stripped());
    EXPECT_FALSE(file_->fastLink());
    EXPECT_EQ(file_->limits(), "");
}

TEST_P(PdbFiles, namesAreFoundBothWays) {
    std::vector<ModuleReader::Named> all;
    file_->find("*", 1000, all);
    const auto find = [&](std::string_view name) -> const ModuleReader::Named* {
        const auto found = std::ranges::find(all, name, &ModuleReader::Named::name);
        return found == all.end() ? nullptr : &*found;
    };
    for (const char* name :
         {"ice::Thing::run", "ice::`anonymous namespace'::hidden", "ice::Thing::operator()",
          "ice::Thing::operator bool", "ice::Thing::operator+=", "ice::Thing::~Thing",
          "ice::Box<int,4>::sum", "start", "operator delete"}) {
        const auto* named = find(name);
        ASSERT_NE(named, nullptr) << name;
        EXPECT_TRUE(named->function) << name;
        const auto same = file_->byName(name);
        ASSERT_TRUE(same.has_value()) << name;
        EXPECT_EQ(same->address, named->address) << name;
        const auto nearest = file_->nearest(static_cast<std::uint32_t>(named->address + 1));
        ASSERT_TRUE(nearest.has_value()) << name;
        EXPECT_EQ(nearest->name, name);
    }
    for (const char* name :
         {"thing", "global", "quiet", "ice::Thing::count", "ice::Thing::`vftable'"}) {
        const auto* named = find(name);
        ASSERT_NE(named, nullptr) << name;
        EXPECT_FALSE(named->function) << name;
        // "quiet" has no public name.
        const auto nearest = file_->nearest(static_cast<std::uint32_t>(named->address));
        ASSERT_TRUE(nearest.has_value()) << name;
        EXPECT_EQ(nearest->name, name);
    }
    std::vector<ModuleReader::Named> few;
    file_->find("ice::*", 3, few);
    EXPECT_EQ(few.size(), 3U);
    EXPECT_FALSE(file_->byName("nothing::like::this").has_value());
    const auto mangled = file_->byName(
        std::string_view(GetParam()) == "i686" ? "??1Thing@ice@@QAE@XZ" : "??1Thing@ice@@QEAA@XZ");
    ASSERT_TRUE(mangled.has_value());
    EXPECT_EQ(mangled->name, "ice::Thing::~Thing");
}

TEST_P(PdbFiles, checksumsOfSourcesAreTheFiles) {
    const auto start = file_->byName("start");
    ASSERT_TRUE(start.has_value());
    const auto sum = file_->checksumAt(static_cast<std::uint32_t>(start->address));
    ASSERT_TRUE(sum.has_value());
    EXPECT_EQ(sum->kind, "MD5");
    EXPECT_THAT(sum->file, HasSubstr("a.cpp"));
    const auto said = tests::shell("md5sum < '" + (folder_ / "a.cpp").string() + "'").text;
    EXPECT_EQ(sum->hex, said.substr(0, 32));
}

TEST_P(PdbFiles, anyPageSizeAndPagesInAnyOrder) {
    const auto all = streams();
    for (const std::uint32_t pageSize : {512U, 1024U, 4096U, 8192U, 65536U}) {
        for (const bool scattered : {false, true}) {
            SCOPED_TRACE(std::to_string(pageSize) + (scattered ? " scattered" : ""));
            const auto other = open(tests::writeMsf(all, pageSize, scattered));
            ASSERT_NE(other, nullptr);
            expectSame(*other);
        }
    }
    // A directory so large that its list of pages takes several pages itself.
    auto many = all;
    many.resize(many.size() + 40'000, tests::Bytes(1));
    const auto large = open(tests::writeMsf(many, 512, false));
    ASSERT_NE(large, nullptr);
    expectSame(*large);
}

TEST_P(PdbFiles, longerThanFourGibibytes) {
    constexpr std::uint32_t pageSize = 4096;
    constexpr std::uint32_t skipped = (std::uint32_t{1} << 20) + 5;  // 4 GiB and 20 KiB of hole
    const tests::Bytes bytes = tests::writeMsf(streams(), pageSize, true, skipped);
    const fs::path path = folder_ / "far.pdb";
    {
        std::ofstream file(path, std::ios::binary);
        const auto* const text = reinterpret_cast<const char*>(bytes.data());
        constexpr std::streamsize head = tests::msfHeadPages * pageSize;
        file.write(text, head);
        file.seekp(head + std::streamoff{skipped} * pageSize);
        file.write(text + head, static_cast<std::streamsize>(bytes.size()) - head);
    }
    ASSERT_GT(fs::file_size(path), std::uint64_t{1} << 32);
    const auto far = open(path);
    ASSERT_NE(far, nullptr);
    expectSame(*far);
}

TEST_P(PdbFiles, manyThreadsAskOneFileAtOnce) {
    const auto fresh = open(folder_ / "a.pdb");  // which has read nothing yet
    ASSERT_NE(fresh, nullptr);
    std::vector<std::vector<PlainFrame>> expected;
    for (std::uint32_t at = 0; at < text().virtualSize; at += 5)
        expected.push_back(ourFrames(*file_, text().address + at));
    const auto where = file_->byName("ice::Thing::run");
    std::atomic<int> wrong = 0;
    {
        constexpr std::size_t count = 4;
        std::vector<std::jthread> threads;
        threads.reserve(count);
        for (std::size_t first = 0; first < count; ++first)
            threads.emplace_back([&, first] {
                for (std::size_t i = 0; i < expected.size(); ++i) {
                    const std::size_t which = (i + first * 37) % expected.size();
                    const auto address = text().address + static_cast<std::uint32_t>(which * 5);
                    if (ourFrames(*fresh, address) != expected[which]) ++wrong;
                    const auto found = fresh->byName("ice::Thing::run");
                    if (!found || found->address != where->address) ++wrong;
                }
            });
    }
    EXPECT_EQ(wrong, 0);
}

TEST_P(PdbFiles, lldsOwnLargePages) {
    ASSERT_EQ(tests::buildForWindows(folder_, tests::windowsShapes,
                                     {.arch = GetParam(),
                                      .compile = "-O2 -fno-rtti",
                                      .link = "/dll /pdbpagesize:16384",
                                      .name = "b"}),
              "");
    const auto other = open(folder_ / "b.pdb");
    ASSERT_NE(other, nullptr);
    EXPECT_TRUE(other->byName("ice::Thing::run").has_value());
    EXPECT_EQ(
        loadInteger<std::uint32_t>((*openMappedFile(folder_ / "b.pdb"))->mapped().data() + 32),
        16384U);
}

/// What a linker leaves in a stripped file: publics, sections, no modules.
TEST_P(PdbFiles, strippedFilesAreRecognisedAndNameFunctions) {
    auto all = streams();
    auto& dbi = all[streamDbi];
    DbiHeader header;
    std::memcpy(static_cast<void*>(&header), dbi.data(), sizeof header);
    const std::uint32_t cut = header.moduleInfoSize + header.contributionSize;
    header.flags = header.flags | dbiStripped;
    header.moduleInfoSize = 0;
    header.contributionSize = 0;
    std::memcpy(dbi.data(), &header, sizeof header);
    dbi.erase(dbi.begin() + sizeof header, dbi.begin() + sizeof header + cut);
    const auto stripped = open(tests::writeMsf(all, 4096, false));
    ASSERT_NE(stripped, nullptr);
    EXPECT_TRUE(stripped->stripped());
    EXPECT_THAT(stripped->limits(), HasSubstr("/PDBSTRIPPED"));
    // The same functions by their public names; those of one object file alone have none.
    std::size_t named = 0;
    for (const char* name : {"ice::Thing::run", "ice::Thing::operator()", "ice::Box<int,4>::sum",
                             "ice::Thing::operator bool", "start"}) {
        const auto whole = file_->byName(name);
        ASSERT_TRUE(whole.has_value());
        const auto frames = ourFrames(*stripped, static_cast<std::uint32_t>(whole->address + 2));
        ASSERT_EQ(frames.size(), 1U) << name;
        EXPECT_EQ(frames[0].function, name);
        EXPECT_EQ(frames[0].line, 0U);
        const auto found = stripped->byName(name);
        ASSERT_TRUE(found.has_value()) << name;
        EXPECT_EQ(found->address, whole->address);
        ++named;
    }
    EXPECT_EQ(named, 5U);
}

TEST_P(PdbFiles, fastLinkIsRecognised) {
    auto all = streams();
    appendInteger(all[streamInfo], featureFastLink);
    const auto fast = open(tests::writeMsf(all, 4096, false));
    ASSERT_NE(fast, nullptr);
    EXPECT_TRUE(fast->fastLink());
    EXPECT_THAT(fast->limits(), HasSubstr("/DEBUG:FASTLINK"));
}

/// A tool that moved the code after it was linked: every address is 0x400 higher, but for a gap
/// that has nothing to do with the original.
TEST_P(PdbFiles, omapLeadsBackToTheLinkedImage) {
    auto all = streams();
    auto& dbi = all[streamDbi];
    DbiHeader header;
    std::memcpy(static_cast<void*>(&header), dbi.data(), sizeof header);
    const std::size_t debugAt = dbi.size() - header.debugHeaderSize;
    const auto put = [&](DebugStream which, tests::Bytes content) {
        all.push_back(std::move(content));
        storeInteger(all[streamDbi].data() + debugAt + which * 2,
                     static_cast<std::uint16_t>(all.size() - 1));
    };
    ASSERT_GE(header.debugHeaderSize, 22U);
    constexpr std::uint32_t shift = 0x400;
    const std::uint32_t begin = text().address, end = begin + text().virtualSize;
    tests::Bytes to, from;
    for (const std::uint32_t value : {begin, 0U, begin + shift, begin, end + shift, 0U})
        appendInteger(to, value);
    for (const std::uint32_t value : {begin, begin + shift, end, 0U})
        appendInteger(from, value);
    const auto sections = loadInteger<std::uint16_t>(dbi.data() + debugAt + debugSections * 2);
    put(debugSectionsOriginal, all[sections]);
    put(debugOmapTo, to);
    put(debugOmapFrom, from);
    const auto moved = open(tests::writeMsf(all, 4096, false));
    ASSERT_NE(moved, nullptr);
    for (std::uint32_t at = 0; at < text().virtualSize; ++at) {
        ASSERT_EQ(ourFrames(*moved, begin + shift + at), ourFrames(*file_, begin + at)) << at;
    }
    EXPECT_TRUE(ourFrames(*moved, begin + 1).empty()) << "only the tool put something there";
    EXPECT_EQ(moved->byName("ice::Thing::run")->address,
              file_->byName("ice::Thing::run")->address + shift);
}

/// Asks everything; damage may cost answers only.
void askAll(const PdbFile& file, const PeSection& section) {
    for (std::uint32_t at = 0; at < section.virtualSize; at += 37)
        (void)file.locate(section.address + at, true);
    (void)file.nearest(section.address + 5);
    std::vector<ModuleReader::Named> all;
    file.find("*", 500, all);
    (void)file.byName("ice::Thing::run");
    (void)file.typeByName("ice::Thing");
    (void)file.frameLayout(section.address + 5);
    (void)file.checksumAt(section.address + 5);
}

TEST_P(PdbFiles, oneFieldWrongAtATimeCostsAnswersOnly) {
    const auto all = streams();
    // Every field of the small streams of contents, and of the modules' records.
    for (std::size_t number = 1; number < all.size(); ++number) {
        const std::size_t step = all[number].size() > 2000 ? 52 : 12;
        for (std::size_t at = 0; at + 4 <= all[number].size(); at += step) {
            auto changed = all;
            const auto old = loadInteger<std::uint32_t>(changed[number].data() + at);
            const std::uint32_t wrong = (at / step) % 3 == 0   ? 0xffffffffU
                                        : (at / step) % 3 == 1 ? 0x7fffffffU
                                                               : old + 0x10001U;
            storeInteger(changed[number].data() + at, wrong);
            if (const auto file = open(tests::writeMsf(changed, 4096, false)))
                askAll(*file, text());
        }
    }
}

TEST_P(PdbFiles, cutAnywhere) {
    const auto source = *openMappedFile(folder_ / "a.pdb");
    const auto whole = source->mapped();
    std::size_t opened = 0;
    for (std::size_t size = 0; size < whole.size(); size += 397) {
        if (const auto file =
                open(tests::Bytes(whole.begin(), whole.begin() + static_cast<long>(size)))) {
            ++opened;
            askAll(*file, text());
        }
    }
    EXPECT_LT(opened, whole.size());
}

INSTANTIATE_TEST_SUITE_P(Machines, PdbFiles, testing::Values("x86_64", "i686", "aarch64"),
                         [](const auto& machine) { return std::string(machine.param); });

TEST(PdbFile, refusesWhatItIsNot) {
    const auto zeros = PdbFile::open(memorySource(std::vector<std::byte>(4096), "zeros"));
    ASSERT_FALSE(zeros.has_value());
    EXPECT_EQ(zeros.error().code, Errc::malformed);
    const std::string old = "Microsoft C/C++ program database 2.00\r\n\x1aJG";
    std::vector<std::byte> bytes(4096);
    std::memcpy(bytes.data(), old.data(), old.size());
    const auto ancient = PdbFile::open(memorySource(std::move(bytes), "old.pdb"));
    ASSERT_FALSE(ancient.has_value());
    EXPECT_EQ(ancient.error().code, Errc::unsupported);
}

TEST(MsvcName, isWhatUndnameSaysWithoutItsTypes) {
    const std::map<std::string, std::string> names = {
        {"?f@@YAXXZ", "f"},
        {"?run@Thing@ice@@UEAAHHPECH@Z", "ice::Thing::run"},
        {"??0Thing@ice@@QEAA@XZ", "ice::Thing::Thing"},
        {"??1?$List@H@ns@@UEAA@XZ", "ns::List<int>::~List<int>"},
        {"?add@?$List@H@ns@@QEAAXH@Z", "ns::List<int>::add"},
        {"??$max@H@std@@YAAEBHAEBH0@Z", "std::max<int>"},
        {"?push_back@?$vector@HV?$allocator@H@std@@@std@@QEAAXAEBH@Z",
         "std::vector<int,std::allocator<int> >::push_back"},
        {"??_7Thing@ice@@6B@", "ice::Thing::`vftable'"},
        {"??_GThing@ice@@UEAAPEAXI@Z", "ice::Thing::`scalar deleting destructor'"},
        {"??4Thing@ice@@QEAAAEAU01@AEBU01@@Z", "ice::Thing::operator="},
        {"??BThing@ice@@QEBA_NXZ", "ice::Thing::operator bool"},
        {"?hidden@?A0x12345678@ice@@YAHH@Z", "ice::`anonymous namespace'::hidden"},
        {"?counter@?1??f@@YAXXZ@4HA", "`f'::`2'::counter"},
        {"?global@@3HA", "global"},
        {"??$f@$03$0?0@@YAXXZ", "f<4,-1>"},
        {"??$f@P6AXH@Z@@YAXP6AXH@Z@Z", "f<void (*)(int)>"},
        {"??_C@_05CJBACGMB@hello?$AA@", "`string'"},
        {"not mangled", "not mangled"},
        {"?", "?"},
        {"??$f@V?$g@V?$g@V?$g@", "??$f@V?$g@V?$g@V?$g@"},
    };
    for (const auto& [mangled, plain] : names)
        EXPECT_EQ(msvcName(mangled), plain) << mangled;
    EXPECT_EQ(withoutX86Decoration("_f@8"), "f");
    EXPECT_EQ(withoutX86Decoration("@f@8"), "f");
    EXPECT_EQ(withoutX86Decoration("f@@8"), "f");
    EXPECT_EQ(withoutX86Decoration("_f"), "f");
    EXPECT_EQ(withoutX86Decoration("f"), "f");
}

}  // namespace
}  // namespace icecore::pdb
