// Every row of every FDE of real libraries, as readelf interprets them and as we do.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include "base/text.h"
#include "images/elf_image.h"
#include "unwind/cfi_program.h"
#include "unwind/module_cfi.h"

namespace icecore {
namespace {

std::string outputOf(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::string text;
    char piece[65536];
    while (const std::size_t got = std::fread(piece, 1, sizeof piece, pipe.get()))
        text.append(piece, got);
    return text;
}

/// "reg+offset", "exp".
std::string cfaText(const UnwindRow& row, Arch arch) {
    if (row.cfa.kind == CfaRule::Kind::expression) return "exp";
    std::string name(archInfo(arch).registers[row.cfa.reg].name);
    if (arch == Arch::arm64 && row.cfa.reg == arm64::fp) name = "x29";
    return name + (row.cfa.value < 0 ? "" : "+") + std::to_string(row.cfa.value);
}

std::string ruleText(const UnwindRow& row, RegisterId reg, Arch arch) {
    const RegisterRule* rule = row.rule(reg);
    if (rule == nullptr) return "u";
    const std::string number = (rule->value < 0 ? "" : "+") + std::to_string(rule->value);
    switch (rule->kind) {
    case RuleKind::undefined: return "u";
    case RuleKind::same_value: return "s";
    case RuleKind::offset: return "c" + number;
    case RuleKind::val_offset: return "v" + number;
    case RuleKind::in_register:
        return "r" + std::to_string(
                         archInfo(arch).registers[static_cast<std::size_t>(rule->value)].dwarf);
    case RuleKind::expression: return "exp";
    case RuleKind::val_expression: return "vexp";
    }
    return "?";
}

struct Table {
    std::uint64_t offset = 0;
    std::vector<std::string_view> columns;
    std::vector<std::vector<std::string_view>> rows;  ///< LOC, CFA, columns
};

/// The FDEs of one section in readelf's output, which the views point into.
std::vector<Table> parseTables(std::string_view text, std::string_view section) {
    std::vector<Table> tables;
    bool inside = false;
    bool inFde = false;
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with("Contents of the ")) {
            inside = line.find(std::string("the ") + std::string(section) + " ") !=
                     std::string_view::npos;
            inFde = false;
            continue;
        }
        if (!inside) continue;
        const auto fields = splitBlanks(line);
        if (fields.size() < 2) continue;
        if (line.find(" CIE ") != std::string_view::npos || fields[1] == "ZERO") {
            inFde = false;
        } else if (fields[3 < fields.size() ? 3 : 0] == "FDE") {
            inFde = true;
            tables.push_back({parseHex(fields[0]).value(), {}, {}});
        } else if (inFde && fields[0] == "LOC") {
            tables.back().columns.assign(fields.begin() + 2, fields.end());
        } else if (inFde) {
            auto& row = tables.back().rows.emplace_back(fields);
            // A register is printed as "r9 (r9)", its name where there is room for it.
            std::erase_if(row, [](std::string_view field) { return field.starts_with('('); });
        }
    }
    return tables;
}

/// Compares one section of a file; how many FDEs were compared.
std::size_t compareSection(const std::string& path, const CfiSection& section,
                           std::string_view sectionName) {
    const std::string text =
        outputOf("readelf --wide --debug-dump=frames-interp --debug-dump=no-follow-links '" + path +
                 "' 2>/dev/null");
    std::size_t compared = 0;
    std::size_t different = 0;
    for (const Table& table : parseTables(text, sectionName)) {
        const auto fde = parseFde(section, table.offset);
        if (!fde) {
            ADD_FAILURE() << path << ": FDE at " << hex(table.offset) << ": "
                          << fde.error().describe();
            return compared;
        }
        std::vector<std::pair<Range, UnwindRow>> ours;
        const auto outcome = forEachRow(section, *fde, [&](Range range, const UnwindRow& row) {
            ours.emplace_back(range, row);
            return true;
        });
        EXPECT_TRUE(outcome) << path << ": FDE at " << hex(table.offset);
        ++compared;
        std::size_t next = 0;
        for (std::size_t i = 0; i < table.rows.size() && different < 10; ++i) {
            const auto& row = table.rows[i];
            const std::uint64_t location = parseHex(row[0]).value();
            // A location that does not move on, or has reached the end, holds for no address.
            if (i + 1 < table.rows.size() && parseHex(table.rows[i + 1][0]) == location) continue;
            if (location >= fde->end) continue;
            std::string want(row[1]);
            std::string have = "nothing";
            if (next < ours.size()) {
                const UnwindRow& mine = ours[next].second;
                have = ours[next].first.begin() == location ? cfaText(mine, section.arch)
                                                            : "row at another place";
                for (std::size_t c = 0; c < table.columns.size(); ++c) {
                    const auto reg = table.columns[c] == "ra"
                                         ? std::optional(mine.returnRegister)
                                         : registerByName(section.arch, table.columns[c]);
                    if (!reg) continue;  // vector registers
                    want += " " + std::string(row[c + 2]);
                    have += " " + ruleText(mine, *reg, section.arch);
                }
                // The same row through the look-up by address, at both its ends.
                for (const std::uint64_t at : {location, ours[next].first.end() - 1}) {
                    auto found = rowAt(section, *fde, at);
                    if (!found) {
                        ADD_FAILURE() << path << " at " << hex(at);
                        return compared;
                    }
                    EXPECT_EQ(found->lastOfFunction, at == fde->end - 1);
                    found->lastOfFunction = false;
                    EXPECT_TRUE(*found == mine) << path << " at " << hex(at);
                }
            }
            ++next;
            if (have == want) continue;
            ++different;
            ADD_FAILURE() << path << " at " << hex(location) << ": readelf says " << want
                          << ", we say " << have;
        }
        // FDEs of nops alone are printed without a row.
        EXPECT_TRUE(next == ours.size() || (next == 0 && ours.size() == 1))
            << path << ": FDE at " << hex(table.offset) << " has " << ours.size() << " rows, not "
            << next;
    }
    return compared;
}

std::shared_ptr<const ElfImage> openImage(const std::string& path) {
    auto source = openMappedFile(path);
    if (!source) return nullptr;
    auto image = ElfImage::open(*std::move(source));
    return image ? *image : nullptr;
}

/// The first of these that exists.
std::string anyOf(std::initializer_list<const char*> paths) {
    for (const char* path : paths) {
        std::error_code ignored;
        if (std::filesystem::exists(path, ignored)) return path;
    }
    return {};
}

void compareEhFrame(const std::string& path, std::size_t atLeast) {
    const auto image = openImage(path);
    ASSERT_NE(image, nullptr) << path;
    const ModuleCfi cfi(image, {}, 0);
    EXPECT_GE(compareSection(path, cfi.ehFrame(), ".eh_frame"), atLeast) << path;
}

TEST(CfiOracle, LibcIsReadAsReadelfReadsIt) {
    compareEhFrame(anyOf({"/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"}),
                   2000);
}

TEST(CfiOracle, LibstdcxxIsReadAsReadelfReadsIt) {
    compareEhFrame(
        anyOf({"/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
               "/usr/lib/aarch64-linux-gnu/libstdc++.so.6"}),
        2000);
}

TEST(CfiOracle, TheDynamicLinkerIsReadAsReadelfReadsIt) {
    compareEhFrame(anyOf({"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}), 100);
}

TEST(CfiOracle, PythonIsReadAsReadelfReadsIt) {
    const std::string path = anyOf({"/usr/bin/python3"});
    ASSERT_FALSE(path.empty());
    compareEhFrame(std::filesystem::canonical(path).string(), 2000);
}

TEST(CfiOracle, Arm64LibcIsReadAsReadelfReadsIt) {
    const std::string path = anyOf({"/usr/aarch64-linux-gnu/lib/libc.so.6"});
    if (path.empty()) GTEST_SKIP() << "libc6-arm64-cross is not installed";
    compareEhFrame(path, 2000);
}

/// A file without .eh_frame for its own code: .debug_frame only, of a given DWARF version.
class DebugFrameOracle : public testing::TestWithParam<const char*> {};

TEST_P(DebugFrameOracle, DebugFrameIsReadAsReadelfReadsIt) {
    namespace fs = std::filesystem;
    const fs::path folder =
        fs::temp_directory_path() / ("icecore_cfi_" + hex(reinterpret_cast<std::uintptr_t>(this)));
    fs::create_directories(folder);
    const std::string source = (folder / "t.c").string();
    const std::string program = (folder / "t.so").string();
    {
        const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(source.c_str(), "w"),
                                                         std::fclose);
        std::fputs(
            "int g(int*);\n"
            "int f(int n) { int a[n + 1]; a[n] = n; int r = g(a); return r + f(n - 1); }\n"
            "int g(int* p) { return p[0] > 3 ? p[1] : f(p[0]) + g(p + 1); }\n",
            file.get());
    }
    const std::string build =
        "cc -shared -fPIC -g -O1 -fno-asynchronous-unwind-tables "
        "-fno-unwind-tables -nostdlib " +
        std::string(GetParam()) + " -o " + program + " " + source + " 2>&1";
    const std::string messages = outputOf(build);
    const auto image = openImage(program);
    if (image != nullptr) {
        const ModuleCfi cfi(image, {}, 0);
        EXPECT_GE(compareSection(program, cfi.debugFrame(), ".debug_frame"), 2U);
        // And through the index that the unwinder uses.
        const FdeIndex index = FdeIndex::build(cfi.debugFrame(), false);
        ASSERT_FALSE(index.entries().empty());
        for (const FdeIndex::Entry& entry : index.entries()) {
            EXPECT_TRUE(cfi.row(entry.begin));
            EXPECT_TRUE(cfi.row(entry.end - 1));
        }
    } else {
        ADD_FAILURE() << messages;
    }
    fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Versions, DebugFrameOracle,
                         testing::Values("-gdwarf-2", "-gdwarf-4", "-gdwarf-5",
                                         "-gdwarf-5 -gdwarf64"));

/// The linker's table and an index of our own name the same FDE for every function.
TEST(CfiOracle, TheLinkersTableAndOurIndexAgree) {
    const auto image =
        openImage(anyOf({"/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"}));
    ASSERT_NE(image, nullptr);
    const ModuleCfi cfi(image, {}, 0);
    const FdeIndex index = FdeIndex::build(cfi.ehFrame(), false);
    ASSERT_GT(index.entries().size(), 1000U);
    std::size_t rows = 0;
    for (const FdeIndex::Entry& entry : index.entries()) {
        const auto fde = parseFde(cfi.ehFrame(), entry.offset);
        ASSERT_TRUE(fde);
        for (const std::uint64_t at : {entry.begin, entry.end - 1}) {
            const auto wanted = rowAt(cfi.ehFrame(), *fde, at);
            const auto found = cfi.row(at);
            ASSERT_EQ(wanted.has_value(), found.has_value()) << hex(at);
            if (!found) continue;
            EXPECT_EQ(*wanted, *found) << hex(at);
            ++rows;
        }
    }
    EXPECT_GT(rows, 2000U);
}

}  // namespace
}  // namespace icecore
