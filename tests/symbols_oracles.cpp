// Names, inlined calls and lines at every address of a program's code, compiled in many ways,
// against llvm-symbolizer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "bytes/cursor.h"
#include "symbols_tools.h"

namespace icecore::tests {
namespace {

struct Way {
    const char* name;
    const char* compiler;
    const char* options;
};

const Way ways[] = {
    {"gccO0Dwarf2", "g++", "-O0 -gdwarf-2 -gstrict-dwarf"},
    {"gccO2Dwarf2", "g++", "-O2 -gdwarf-2"},
    {"gccO2Dwarf3", "g++", "-O2 -gdwarf-3"},
    {"gccO0Dwarf3", "g++", "-O0 -gdwarf-3"},
    {"gccO0Dwarf4", "g++", "-O0 -gdwarf-4"},
    {"gccO2Dwarf4", "g++", "-O2 -gdwarf-4"},
    {"gccO0Dwarf5", "g++", "-O0 -gdwarf-5"},
    {"gccO2Dwarf5", "g++", "-O2 -gdwarf-5"},
    {"gccO2Dwarf64Bit", "g++", "-O2 -g -gdwarf64"},
    {"gccO2NonPie", "g++", "-O2 -g -no-pie"},
    {"gccO2Lto", "g++", "-O2 -g -flto"},
    {"gccO2Compressed", "g++", "-O2 -g -gz=zlib"},
    {"gccO2CompressedZstd", "g++", "-O2 -g -Wl,--compress-debug-sections=zstd"},
    {"gccO2FunctionSections", "g++", "-O2 -g -ffunction-sections -Wl,--gc-sections"},
    {"gccO2TypeUnits", "g++", "-O2 -g -fdebug-types-section"},
    {"gccO2Split4", "g++", "-O2 -gdwarf-4 -gsplit-dwarf"},
    {"gccO2Split5", "g++", "-O2 -gdwarf-5 -gsplit-dwarf"},
    {"clangO0Dwarf2", "clang++-19", "-O0 -gdwarf-2"},
    {"clangO2Dwarf2", "clang++-19", "-O2 -gdwarf-2"},
    {"clangO2Dwarf3", "clang++-19", "-O2 -gdwarf-3"},
    {"clangO2Dwarf4", "clang++-19", "-O2 -gdwarf-4"},
    {"clangO0Dwarf5", "clang++-19", "-O0 -gdwarf-5"},
    {"clangO2Dwarf5", "clang++-19", "-O2 -gdwarf-5"},
    {"clangO2Compressed", "clang++-19", "-O2 -g -gz=zlib"},
    {"clangO2Dwarf64Bit", "clang++-19", "-O2 -g -gdwarf64"},
    {"clangO2NonPie", "clang++-19", "-O2 -g -no-pie"},
    {"clangO2Split4", "clang++-19", "-O2 -gdwarf-4 -gsplit-dwarf"},
    {"clangO2Split5", "clang++-19", "-O2 -gdwarf-5 -gsplit-dwarf"},
    {"arm64O2", "aarch64-linux-gnu-g++", "-O2 -g"},
};

/// Equal, but for what we know better or differently on purpose.
bool agree(const PlainFrame& ours, PlainFrame theirs) {
    // DWARF names the function, a symbol its clone: ours is the function wherever DWARF has it.
    theirs.function = theirs.function.substr(0, theirs.function.find(" [clone "));
    // Static functions have no linkage name: llvm then leaves out their scopes.
    const std::string name = ours.function.substr(0, ours.function.find(" [clone "));
    const bool sameName = name == theirs.function || name.ends_with("::" + theirs.function);
    // Without a line there is no file to open: code without debug information (llvm takes the name
    // from the symbol table's FILE entries), and calls whose place DWARF 2 cannot record.
    const bool samePlace = ours.line == theirs.line && (ours.line == 0 || ours.file == theirs.file);
    return sameName && samePlace;
}

/// The versions of the units in .debug_info.
std::set<unsigned> dwarfVersions(const ElfImage& image) {
    std::set<unsigned> versions;
    const ElfSection* section = image.section(".debug_info");
    if (section == nullptr) section = image.section(".zdebug_info");
    const auto content = section != nullptr ? image.content(*section) : Result<ByteView>{};
    if (!content) return versions;
    Cursor cursor(*content);
    while (cursor.ok() && cursor.position() < content->size()) {
        std::uint64_t length = cursor.u32();
        if (length == UINT32_MAX) length = cursor.u64();
        const std::uint64_t begin = cursor.position();
        versions.insert(cursor.u16());
        cursor.skip(length - (cursor.position() - begin));
    }
    return versions;
}

class SymbolsOracle : public testing::TestWithParam<Way> {};

TEST_P(SymbolsOracle, everyAddress) {
    const Way& way = GetParam();
    if (llvmSymbolizer().empty()) GTEST_SKIP() << "llvm-symbolizer is not installed";
    if (!have(way.compiler)) GTEST_SKIP() << way.compiler << " is not installed";
    const Folder folder;
    const fs::path program = compileShapes(folder, way.compiler, way.options);
    const auto image = openElf(program);
    ASSERT_NE(image, nullptr);
    // The compiler did what the way is named after.
    const std::string_view options = way.options;
    if (const std::size_t asked = options.find("-gdwarf-"); asked != std::string_view::npos) {
        const auto version = static_cast<unsigned>(options[asked + 8] - '0');
        EXPECT_THAT(dwarfVersions(*image), testing::ElementsAre(version));
    }
    const auto addresses = textAddresses(*image);
    ASSERT_GT(addresses.size(), 300U);
    const auto expected = llvmFrames(folder, program, addresses);
    ASSERT_EQ(expected.size(), addresses.size());

    const ModuleSymbolizer symbols(findFilesOf(image, {}));
    EXPECT_EQ(symbols.files().info.kind, SymbolKind::dwarf);
    std::size_t different = 0, withInlines = 0;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        auto ours = ourFrames(symbols, addresses[i]);
        const auto& theirs = expected[i];
        // Nothing known is an empty list here, and one frame of question marks there.
        if (ours.empty()) ours.emplace_back();
        if (ours.size() > 1) ++withInlines;
        if (std::ranges::equal(ours, theirs, agree)) continue;
        if (++different <= 5)
            ADD_FAILURE() << hex(addresses[i]) << "\n  ours  " << toText(ours) << "\n  theirs"
                          << toText(theirs);
    }
    EXPECT_EQ(different, 0U);
    EXPECT_GT(withInlines, 20U) << "the program is there to have inlined calls";
}

INSTANTIATE_TEST_SUITE_P(Ways, SymbolsOracle, testing::ValuesIn(ways),
                         [](const auto& way) { return std::string(way.param.name); });

/// LLVM does not read .zdebug sections any more: what they say is what they said before.
TEST(SymbolsCompressed, gnusOlderWaySaysTheSame) {
    const Folder folder;
    const fs::path plain = compileShapes(folder, "g++", "-O2 -g");
    const fs::path packed = folder / "packed";
    const Ran ran = run("objcopy --compress-debug-sections=zlib-gnu " + plain.string() + " " +
                        packed.string() + " 2>&1");
    ASSERT_EQ(ran.status, 0) << ran.output;
    const auto before = openElf(plain), after = openElf(packed);
    ASSERT_NE(before, nullptr);
    ASSERT_NE(after, nullptr);
    ASSERT_TRUE(std::ranges::any_of(after->sections(), [](const ElfSection& section) {
        return section.name == ".zdebug_info";
    }));
    const ModuleSymbolizer expected(findFilesOf(before, {})), symbols(findFilesOf(after, {}));
    EXPECT_EQ(symbols.files().info.kind, SymbolKind::dwarf);
    const auto addresses = textAddresses(*after);
    ASSERT_GT(addresses.size(), 300U);
    for (const std::uint64_t address : addresses)
        ASSERT_EQ(ourFrames(symbols, address), ourFrames(expected, address)) << hex(address);
}

/// dwz moves what two programs share into a third file; the names must still be found.
TEST(SymbolsDwz, namesInTheCommonFile) {
    if (!have("dwz")) GTEST_SKIP() << "dwz is not installed";
    const Folder folder;
    const fs::path one = compileShapes(folder, "g++", "-O2 -g", "one");
    compileShapes(folder, "g++", "-O2 -g -DOTHER", "two");
    const auto before = openElf(one);
    ASSERT_NE(before, nullptr);
    const auto addresses = textAddresses(*before);
    std::vector<std::vector<PlainFrame>> expected;
    {
        const fs::path copy = folder / "copy";
        fs::copy_file(one, copy);
        const ModuleSymbolizer symbols(findFilesOf(openElf(copy), {}));
        for (const std::uint64_t address : addresses)
            expected.push_back(ourFrames(symbols, address));
    }
    const Ran ran = run("cd " + folder.path().string() + " && dwz -m common.dwz one two 2>&1");
    ASSERT_EQ(ran.status, 0) << ran.output;
    const auto after = openElf(one);
    ASSERT_NE(after, nullptr);
    ASSERT_NE(after->section(".gnu_debugaltlink"), nullptr) << ran.output;
    const ModuleSymbolizer symbols(findFilesOf(after, {}));
    for (std::size_t i = 0; i < addresses.size(); ++i)
        ASSERT_EQ(ourFrames(symbols, addresses[i]), expected[i]) << hex(addresses[i]);
}

/// Labels of hand-written assembly have no size: they reach up to the next symbol, and never out of
/// their section; inside a function with a size they name nothing.
TEST(SymbolsTable, labelsWithoutSize) {
    const Folder folder;
    {
        std::ofstream source(folder / "labels.s");
        source << R"(
            .section .text.first, "ax"
            .globl first_label
            first_label: .skip 16, 0x90
            .globl second_label
            second_label: .skip 16, 0x90
            .type sized, @function
            .globl sized
            sized: .skip 8, 0x90
            inner_label: .skip 8, 0x90
            .size sized, 16
            .skip 16, 0x90
            .section .other, "a"
            .globl data_label
            data_label: .quad 1, 2
            .section .note.GNU-stack, "", @progbits
        )";
    }
    const Ran ran = run("cd " + folder.path().string() +
                        " && gcc -nostdlib -Wl,--entry=first_label labels.s -o labels 2>&1");
    ASSERT_EQ(ran.status, 0) << ran.output;
    const auto image = openElf(folder / "labels");
    ASSERT_NE(image, nullptr);
    const ModuleSymbolizer symbols(findFilesOf(image, {}));
    const auto first = symbols.byName("first_label");
    ASSERT_TRUE(first.has_value());
    const auto nameAt = [&](std::uint64_t offset) {
        const auto symbol = symbols.nearest(first->address + offset);
        return symbol ? symbol->name : std::string();
    };
    EXPECT_EQ(first->size, 16U);
    EXPECT_EQ(nameAt(15), "first_label");
    EXPECT_EQ(nameAt(16), "second_label");
    EXPECT_EQ(nameAt(31), "second_label");
    EXPECT_EQ(nameAt(40), "sized") << "not the label inside it";
    EXPECT_EQ(nameAt(47), "sized");
    EXPECT_EQ(nameAt(48), "") << "behind a function that says where it ends";
    const auto data = symbols.byName("data_label");
    ASSERT_TRUE(data.has_value());
    EXPECT_FALSE(data->function);
    EXPECT_EQ(data->size, 16U) << "up to the end of its section";
}

/// "$x" and "$d" mark where code and data begin on ARM; nobody calls anything that.
TEST(SymbolsTable, mappingSymbolsAreNoNames) {
    if (!have("aarch64-linux-gnu-g++")) GTEST_SKIP() << "no arm64 compiler";
    const Folder folder;
    const fs::path program = compileShapes(folder, "aarch64-linux-gnu-g++", "-O1");
    const auto image = openElf(program);
    ASSERT_NE(image, nullptr);
    ASSERT_NE(run("aarch64-linux-gnu-nm --special-syms " + program.string()).output.find(" $x"),
              std::string::npos);
    const ModuleSymbolizer symbols(findFilesOf(image, {}));
    std::vector<ModuleSymbolizer::Named> found;
    symbols.find("$*", 10, found);
    EXPECT_TRUE(found.empty());
    for (const std::uint64_t address : textAddresses(*image)) {
        const auto symbol = symbols.nearest(address);
        EXPECT_FALSE(symbol && symbol->name.starts_with('$')) << hex(address);
    }
}

/// Stubs of the procedure linkage table, against objdump.
TEST(SymbolsPlt, stubsAreNamed) {
    for (const char* options :
         {"-O1 -g -fcf-protection=none", "-O1 -g -fcf-protection -Wl,-z,ibtplt",
          "-O1 -g -no-pie -Wl,-z,lazy"}) {
        const Folder folder;
        const fs::path program = compileShapes(folder, "g++", options);
        const Ran ran = run("objdump -d --no-show-raw-insn " + program.string());
        const ModuleSymbolizer symbols(findFilesOf(openElf(program), {}));
        std::size_t compared = 0;
        for (const std::string_view line : split(ran.output, '\n')) {
            // "0000000000001030 <puts@plt>:"
            const std::size_t name = line.find(" <");
            if (name == std::string_view::npos || !line.ends_with("@plt>:")) continue;
            const auto address = parseHex(line.substr(0, name));
            ASSERT_TRUE(address.has_value()) << line;
            const std::string expected(line.substr(name + 2, line.size() - name - 4));
            if (expected.starts_with("__cxa_finalize") || expected.starts_with('*'))
                continue;  // .plt.got
            const auto symbol = symbols.nearest(*address + 4);
            ASSERT_TRUE(symbol.has_value()) << line;
            EXPECT_EQ(symbol->name, expected) << options;
            EXPECT_EQ(symbol->address, *address) << options;
            ++compared;
        }
        EXPECT_GE(compared, 2U) << options << ran.output;
    }
}

}  // namespace
}  // namespace icecore::tests
