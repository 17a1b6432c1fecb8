#include "images/pe_image.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "memory/segment_space.h"
#include "support/scratch.h"

namespace icecore {
namespace {

namespace fs = std::filesystem;

/// A library with exports and a PDB, made by clang and lld as for Windows.
class PeImages : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        std::ofstream(folder_ / "a.c") << "__declspec(dllexport) int add(int a, int b) { return a "
                                          "+ b; }\n"
                                          "int other(void);\n"
                                          "__declspec(dllexport) volatile int counter = 3;\n"
                                          "int start(void) { return add(counter, 1); }\n";
        const std::string build =
            "cd '" + folder_.string() + "' && clang-19 --target=" + GetParam() +
            "-pc-windows-msvc -g -gcodeview -O0 -c a.c -o a.obj && lld-link-19 /dll "
            "/entry:start /nodefaultlib /debug /export:forwarded=KERNEL32.ExitProcess "
            "/export:unnamed=add,@9,NONAME /out:a.dll /pdb:a.pdb a.obj 2>&1";
        ASSERT_EQ(tests::shell(build).status, 0);
    }
    [[nodiscard]] std::shared_ptr<const PeImage> open() const {
        auto source = openMappedFile(folder_ / "a.dll");
        if (!source) return nullptr;
        return PeImage::open(*source).value_or(nullptr);
    }
    /// The fields that llvm-readobj prints as "Name: value", without its indentation.
    [[nodiscard]] std::string readobj(const std::string& flags) const {
        return tests::shell("llvm-readobj-19 " + flags + " '" + (folder_ / "a.dll").string() + "'")
            .text;
    }
    const tests::Scratch scratch_;
    const fs::path folder_ = scratch_.file("");
};

std::string upper(std::uint64_t value) {
    std::string text = hex(value);
    for (char& c : text) {
        if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 32);
    }
    return text;
}

TEST_P(PeImages, areWhatLlvmReadobjSays) {
    const auto image = open();
    ASSERT_NE(image, nullptr);
    EXPECT_TRUE(image->issues().empty());
    const std::string headers = readobj("--file-headers --sections");
    const auto says = [&](const std::string& text) {
        EXPECT_NE(headers.find(text + "\n"), std::string::npos) << text << "\n" << headers;
    };
    says("AddressOfEntryPoint: " + upper(image->entry()));
    says("ImageBase: " + upper(image->imageBase()));
    says("SizeOfImage: " + std::to_string(image->imageSize()));
    says("SectionCount: " + std::to_string(image->sections().size()));
    EXPECT_NE(headers.find("(" + upper(image->timestamp()) + ")"), std::string::npos);
    for (const PeSection& section : image->sections()) {
        says("VirtualAddress: " + upper(section.address));
        says("VirtualSize: " + upper(section.virtualSize));
        says("RawDataSize: " + std::to_string(section.fileSize));
        EXPECT_NE(headers.find("Name: " + section.name + " ("), std::string::npos) << section.name;
    }

    const std::string listed = readobj("--coff-exports");
    std::string own;
    for (const PeExport& item : image->exports()) {
        own += "Export {\n  Ordinal: " + std::to_string(item.ordinal) +
               "\n  Name:" + (item.name.empty() ? "" : " ") + item.name + "\n";
        own += item.forwarder.empty() ? "  RVA: " + upper(item.address) + "\n"
                                      : "  ForwardedTo: " + item.forwarder + "\n";
        own += "}\n";
    }
    EXPECT_FALSE(own.empty());
    std::string theirs = listed.substr(std::min(listed.find("Export {"), listed.size()));
    for (std::size_t at = 0; (at = theirs.find(": \n")) != std::string::npos;)
        theirs.erase(at + 1, 1);
    EXPECT_EQ(own, theirs);

    const auto view = image->codeView();
    ASSERT_TRUE(view.has_value());
    const std::string debug = readobj("--coff-debug-directory");
    EXPECT_NE(debug.find("PDBAge: " + std::to_string(view->age) + "\n"), std::string::npos);
    EXPECT_NE(debug.find("PDBFileName: " + view->path + "\n"), std::string::npos);
    std::string guid;
    for (const char c : debug.substr(debug.find("PDBGUID: {") + 10, 36)) {
        if (c != '-') guid += c;
    }
    EXPECT_EQ(view->id(), guid + std::to_string(view->age));
}

TEST_P(PeImages, areTheSameOutOfMemory) {
    const auto file = open();
    ASSERT_NE(file, nullptr);
    // As the loader maps it: every section at its address.
    constexpr std::uint64_t base = 0x7ff600000000;
    std::vector<std::byte> loaded(file->imageSize());
    const auto place = [&](std::uint32_t address, std::uint64_t size) {
        const ByteView bytes = file->at(address, size);
        std::ranges::copy(bytes.span(), loaded.begin() + address);
    };
    place(0, file->sections().front().address);
    for (const PeSection& section : file->sections())
        place(section.address, section.virtualSize);
    SegmentSpaceBuilder builder(memorySource(loaded, "memory"));
    builder.addStored(Range::ofSize(base, loaded.size()), 0);
    const auto memory = builder.build();
    const auto image = PeImage::fromMemory(*memory, base, UINT64_MAX, "a.dll");
    ASSERT_TRUE(image.has_value()) << image.error().describe();
    EXPECT_EQ((*image)->id(), file->id());
    ASSERT_TRUE((*image)->codeView().has_value());
    EXPECT_EQ((*image)->codeView()->id(), file->codeView()->id());
    ASSERT_EQ((*image)->exports().size(), file->exports().size());
    for (std::size_t i = 0; i < file->exports().size(); ++i)
        EXPECT_EQ((*image)->exports()[i].name, file->exports()[i].name);
    EXPECT_EQ(hexBytes((*image)->functionTable().span()), hexBytes(file->functionTable().span()));
}

TEST_P(PeImages, cutAnywhereCostAnswersOnly) {
    const auto source = openMappedFile(folder_ / "a.dll");
    ASSERT_TRUE(source.has_value());
    const auto whole = (*source)->load(0, (*source)->size());
    ASSERT_TRUE(whole.has_value());
    for (std::size_t size = 0; size < whole->size(); size += size < 0x400 ? 1 : 37) {
        const auto bytes = whole->span().first(size);
        const auto cut = PeImage::open(memorySource({bytes.begin(), bytes.end()}, "cut"));
        if (size < 0x100) {
            EXPECT_EQ(cut.has_value() && !(*cut)->sections().empty(), false) << size;
        }
        if (!cut) continue;
        (void)(*cut)->codeView();
        EXPECT_LE((*cut)->exports().size(), open()->exports().size());
        EXPECT_LE((*cut)->functionTable().size(), whole->size());
    }
}

INSTANTIATE_TEST_SUITE_P(Machines, PeImages, testing::Values("x86_64", "i686", "aarch64"),
                         [](const auto& machine) { return std::string(machine.param); });

TEST(PeImage, refusesWhatItIsNot) {
    const auto image = PeImage::open(memorySource(std::vector<std::byte>(4096), "zeros"));
    ASSERT_FALSE(image.has_value());
    EXPECT_EQ(image.error().code, Errc::malformed);
}

}  // namespace
}  // namespace icecore
