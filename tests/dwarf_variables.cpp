// dt and dv over cores: types, structures and variables out of DWARF, held against what gdb says of
// the same core, for what several compilers and versions of DWARF make of one source.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <regex>

#include "base/text.h"
#include "open_core.h"
#include "support/paths.h"
#include "support/scratch.h"

namespace icecore::tests {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

/// A program made of tests/targets/variables.cpp and its core.
class VariablesCore {
public:
    /// `compile` empty: the one that was built with the tests. `pack` makes victim.dwp, and what it
    /// was made of is gone then. `forGdb` compiles the same code with debug information that gdb
    /// understands.
    explicit VariablesCore(const std::string& compile, const std::string& pack = "",
                           const std::string& forGdb = "") {
        program_ = scratch_.file("victim");
        if (compile.empty()) {
            std::filesystem::copy_file(target("variables"), program_);
        } else {
            const std::string source = sourceFile("tests/targets/variables.cpp");
            shell("cd " + scratch_.file("") + " && " + compile + " -std=c++20 -o victim " + source +
                  " 2>/dev/null");
        }
        gdb("-ex 'set startup-with-shell off' -ex run -ex 'generate-core-file " + core() + "' " +
            program_);
        inGdb_ = program_;
        if (!forGdb.empty()) {
            inGdb_ = scratch_.file("plain");
            shell(forGdb + " -std=c++20 -o " + inGdb_ + " " +
                  sourceFile("tests/targets/variables.cpp") + " 2>/dev/null");
        }
        if (pack.empty()) return;
        shell("cd " + scratch_.file("") + " && " + pack + " 2>/dev/null && rm *.dwo");
        packed_ = std::filesystem::exists(program_ + ".dwp");
    }
    [[nodiscard]] bool made() const { return packed_ && std::filesystem::exists(core()); }
    [[nodiscard]] std::string open(const std::string& commands) const {
        return shell(program() + " open " + core() + " -c " + shellWord(commands) + " 2>&1").text;
    }
    [[nodiscard]] std::string askGdb(const std::vector<std::string>& commands) const {
        std::string arguments;
        for (const std::string& command : commands)
            arguments += " -ex " + shellWord(command);
        return gdb(arguments + " " + inGdb_ + " " + core());
    }

private:
    [[nodiscard]] std::string core() const { return scratch_.file("core"); }
    static std::string gdb(const std::string& arguments) {
        return shell(
                   "DEBUGINFOD_URLS= gdb -nx -q -batch -ex 'set pagination off' -ex 'set width "
                   "0' " +
                   arguments + " 2>/dev/null </dev/null")
            .text;
    }
    Scratch scratch_;
    std::string program_, inGdb_;
    bool packed_ = true;
};

constexpr const char* gone = "<optimized out>";

/// "name = value" lines: whole numbers as numbers, those without a place as `gone`. What is no
/// number (structures, floating point) is left out.
std::multimap<std::string, std::string> values(std::string_view text) {
    std::multimap<std::string, std::string> all;
    static const std::regex line(R"(^\s*([A-Za-z_]\w*) = (.*)$)");
    for (const std::string_view row : split(text, '\n')) {
        std::smatch found;
        const std::string whole(row);
        if (!std::regex_match(whole, found, line)) continue;
        std::string value = found[2];
        if (value.starts_with(gone)) {
            all.emplace(found[1], gone);
            continue;
        }
        std::erase(value, '`');
        if (value.starts_with("0n")) value.erase(0, 2);
        value = value.substr(0, value.find(' '));
        char* end = nullptr;
        const std::int64_t number =
            value.starts_with("0x")
                ? static_cast<std::int64_t>(std::strtoull(value.c_str(), &end, 16))
                : std::strtoll(value.c_str(), &end, 10);
        if (end == value.c_str() || *end != '\0') continue;
        all.emplace(found[1], std::to_string(number));
    }
    return all;
}

struct Build {
    const char* name;
    const char* compile;  ///< empty: the target of the tests
    int frames;           ///< functions up to main, inlined ones too
    const char* pack = "";
    const char* forGdb = "";  ///< the same code, where gdb 13 does not understand the above
};

class DwarfVariables : public testing::TestWithParam<Build> {};

/// Bits from the structure's start, by the member's name.
std::map<std::string, std::uint64_t> layoutOfGdb(const std::string& text) {
    std::map<std::string, std::uint64_t> layout;
    // "/*     44: 0   |       4 */    unsigned int flags : 3;" and members with no bits.
    static const std::regex line(
        R"(^/\*\s+(\d+)(?::\s*(\d+))?\s+\|\s+\d+ \*/    [^ }].*?(\w+)(\[\d+\])*( : \d+)?;$)");
    static const std::regex function(R"(^/\*\s+(\d+)\s+\|\s+\d+ \*/    .*\(\*(\w+)\)\(.*\);$)");
    for (const std::string_view row : split(text, '\n')) {
        std::smatch found;
        const std::string whole(row);
        if (std::regex_match(whole, found, function))
            layout[found[2]] = std::stoull(found[1]) * 8;
        else if (std::regex_match(whole, found, line))
            layout[found[3]] =
                std::stoull(found[1]) * 8 + (found[2].matched ? std::stoull(found[2]) : 0);
    }
    return layout;
}

/// Members of every structure lie where gdb has them.
void expectGdbsLayouts(const VariablesCore& core) {
    std::size_t members = 0;
    const std::vector<std::string> types = {"ice::Thing", "ice::Node", "ice::Link", "ice::Pair",
                                            "ice::Base"};
    std::string commands;
    std::vector<std::string> gdbs;
    for (const std::string& type : types) {
        commands += "; .echo NEXT; dt victim!" + type;
        gdbs.insert(gdbs.end(), {"echo NEXT\\n", "ptype /o struct " + type});
    }
    const auto all = parts(core.open(".ecxr; " + commands.substr(2))),
               theirs = parts(core.askGdb(gdbs));
    ASSERT_EQ(all.size(), types.size() + 1);
    ASSERT_EQ(theirs.size(), all.size());
    for (std::size_t i = 0; i < types.size(); ++i) {
        const std::string &type = types[i], &ours = all[i + 1];
        for (const auto& [name, bits] : layoutOfGdb(theirs[i + 1])) {
            std::smatch found;
            const std::regex row("\\+0x([0-9a-f]+) " + name + " +: (?:Pos (\\d+))?");
            ASSERT_TRUE(std::regex_search(ours, found, row)) << type << "::" << name << "\n"
                                                             << ours;
            EXPECT_EQ(std::stoull(found[1], nullptr, 16) * 8 +
                          (found[2].matched ? std::stoull(found[2]) : 0),
                      bits)
                << type << "::" << name;
            ++members;
        }
    }
    EXPECT_GE(members, 28U);
}

/// Every local and parameter of every frame has gdb's value, or gdb has none either.
TEST_P(DwarfVariables, EachFrameHasGdbsValuesAndLayouts) {
    const VariablesCore core(GetParam().compile, GetParam().pack, GetParam().forGdb);
    if (!core.made()) GTEST_SKIP() << "compiler or gdb is missing";
    std::string commands = ".ecxr";
    std::vector<std::string> gdbs = {"set print entry-values no"};
    for (int frame = 0; frame < GetParam().frames; ++frame) {
        const std::string number = std::to_string(frame);
        commands += "; .echo NEXT; .frame " + number + "; dv";
        gdbs.insert(gdbs.end(), {"echo NEXT\\n", "frame " + number, "info args", "info locals"});
    }
    const auto ours = parts(core.open(commands)), theirs = parts(core.askGdb(gdbs));
    ASSERT_EQ(ours.size(), theirs.size());
    ASSERT_EQ(ours.size(), GetParam().frames + 1U);
    std::size_t numbers = 0, withoutPlace = 0;
    for (std::size_t frame = 1; frame < ours.size(); ++frame) {
        const auto mine = values(ours[frame]);
        for (const auto& [name, value] : values(theirs[frame])) {
            // A register that a call may have changed is not what it was: gdb shows it all the
            // same.
            if (ours[frame].find(name + " = <value unavailable>") != std::string::npos) continue;
            const auto [from, to] = mine.equal_range(name);
            EXPECT_TRUE(
                std::any_of(from, to, [&](const auto& entry) { return entry.second == value; }))
                << "frame " << frame - 1 << ": " << name << " = " << value << " in gdb\n"
                << ours[frame];
            ++(value == gone ? withoutPlace : numbers);
        }
        for (const auto& [name, value] : mine)
            EXPECT_THAT(theirs[frame], HasSubstr(name + " = ")) << "frame " << frame - 1;
    }
    EXPECT_GE(numbers, 12U);
    EXPECT_GE(withoutPlace, 1U);
    expectGdbsLayouts(core);
}

INSTANTIATE_TEST_SUITE_P(
    Compilers, DwarfVariables,
    testing::Values(Build{"gcc", "", 4}, Build{"gccDwarf4", "g++ -g -gdwarf-4 -O2", 4},
                    Build{"gccDwarf3", "g++ -g -gdwarf-3 -gstrict-dwarf -O1", 4},
                    Build{"gccSplit", "g++ -g -gsplit-dwarf -O1", 4},
                    Build{"gccSplit4", "g++ -g -gdwarf-4 -gsplit-dwarf -O1", 4},
                    Build{"clang", "clang++-19 -g -O1", 4},
                    Build{"clangDwarf4", "clang++-19 -g -gdwarf-4 -O1", 4}),
    [](const auto& build) { return std::string(build.param.name); });

/// Types in units of their own, which references find by a signature: beside the code, in .dwo
/// files, and in a package of those.
INSTANTIATE_TEST_SUITE_P(
    TypeUnits, DwarfVariables,
    testing::Values(Build{"gcc", "g++ -g -gdwarf-5 -fdebug-types-section -O1", 4},
                    Build{"gccDwarf4", "g++ -g -gdwarf-4 -fdebug-types-section -O1", 4},
                    Build{"gccPackage", "g++ -g -gdwarf-5 -fdebug-types-section -gsplit-dwarf -O1",
                          4, "llvm-dwp-19 -e victim -o victim.dwp", "g++ -g -gdwarf-5 -O1"},
                    Build{"gccPackage4", "g++ -g -gdwarf-4 -fdebug-types-section -gsplit-dwarf -O1",
                          4, "dwp -e victim -o victim.dwp"},
                    Build{"clang", "clang++-19 -g -fdebug-types-section -O1", 4},
                    Build{"clangDwarf4", "clang++-19 -g -gdwarf-4 -fdebug-types-section -O1", 4},
                    Build{"clangSplit", "clang++-19 -g -fdebug-types-section -gsplit-dwarf -O1", 4,
                          "", "clang++-19 -g -O1"},
                    Build{"clangPackage", "clang++-19 -g -fdebug-types-section -gsplit-dwarf -O1",
                          4, "llvm-dwp-19 -e victim -o victim.dwp", "clang++-19 -g -O1"},
                    Build{"clangPackage4",
                          "clang++-19 -g -gdwarf-4 -fdebug-types-section -gsplit-dwarf -O1", 4,
                          "llvm-dwp-19 -e victim -o victim.dwp"}),
    [](const auto& build) { return std::string(build.param.name); });

class DwarfTypesOfACore : public testing::Test {
protected:
    static void SetUpTestSuite() { core_ = std::make_unique<VariablesCore>(""); }
    static void TearDownTestSuite() { core_.reset(); }
    void SetUp() override {
        if (!core_->made()) GTEST_SKIP() << "gdb is missing";
    }
    static std::string at(const std::string& commands) { return core_->open(".ecxr; " + commands); }
    static std::unique_ptr<VariablesCore> core_;
};
std::unique_ptr<VariablesCore> DwarfTypesOfACore::core_;

TEST_F(DwarfTypesOfACore, StructuresAreLaidOutAsGdbSays) {
    expectGdbsLayouts(*core_);
}

TEST_F(DwarfTypesOfACore, TypesAndValuesInWinDbgsWords) {
    const std::string type = at("dt victim!ice::Thing");
    for (const char* line :
         {"   +0x008 id               : Int8B\n", "   +0x000 __VFN_table : Ptr64 ",
          "   +0x018 b                : Float\n", "   +0x020 self             : Ptr64 ice::Thing\n",
          "   +0x028 kind             : ice::Kind\n", "   +0x050 on               : Bool\n",
          "   +0x052 byte             : UChar\n", "   +0x058 wide             : [8] Wchar\n",
          "   +0x094 grid             : [2] [3] Int4B\n",
          "   +0x0b8 nothing          : Ptr64 Void\n"})
        EXPECT_THAT(type, HasSubstr(line));
    const std::string value = at("dt ice::thing");
    for (const char* line :
         {"id               : 0n-5\n", "kind             : 7 ( two )\n",
          "flags            : 0y101\n", "rest             : 0y10001 (0x11)\n",
          "wide             : [8]  \"wide\"\n", "letter           : 120 'x'\n",
          "half             : 0n-300\n", "nothing          : (null) \n",
          "big              : 0x11223344`55667788\n", "count            : 0n3\n"})
        EXPECT_THAT(value, HasSubstr(line));
    EXPECT_THAT(value, ContainsRegex("call +: 0x[0-9a-f`]+     int  victim!ice::called\\+0\n"));
    EXPECT_THAT(at("dt victim!ice::Kind"), HasSubstr("   one = 0n1\n   two = 0n7\n"));
    EXPECT_THAT(at("dt victim!ice::T*"), HasSubstr("          victim!ice::Thing\n"));
    EXPECT_THAT(at("dt ice::thing grid"), HasSubstr("grid : [2] [3] 0n1\n"));
    EXPECT_THAT(at("dt -r1 ice::thing link"), HasSubstr("      +0x000 next             : 0x"));
    EXPECT_THAT(at("dt victim!nosuch"), HasSubstr("Symbol victim!nosuch not found."));
}

TEST_F(DwarfTypesOfACore, PlacesOfVariablesAreTold) {
    const std::string plain = at("dv /t /v /i");
    EXPECT_THAT(plain, ContainsRegex("prv param  [0-9a-f`]{17} int first = 0n-1\n"));
    EXPECT_THAT(plain, ContainsRegex("prv local  [0-9a-f`]{17} union ice::Bits bits = union"));
    EXPECT_THAT(plain, HasSubstr("inner = 0x"));
    EXPECT_THAT(plain, HasSubstr("\"inner text\"\n"));
    // What the called function does not need any more is what its caller passed.
    EXPECT_THAT(at(".frame 3; dv /t /v /i"),
                HasSubstr("prv param  <constant>        int gone = 0n4711\n"));
    EXPECT_THAT(at(".frame 1; dv /t /v /i step"),
                HasSubstr("prv param  <optimized out>   int step = <optimized out>\n"));
    // A name is an address, as that of any symbol.
    EXPECT_THAT(at("dw narrow L1"), ContainsRegex(" beef"));
    EXPECT_THAT(at("dt values"), HasSubstr("[3] 0n1\n"));
}

}  // namespace
}  // namespace icecore::tests
