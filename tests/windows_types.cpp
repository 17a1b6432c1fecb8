// dt and dv over dumps that Wine makes of tests/targets/windows/variables.h. What is expected is
// what Microsoft's dbgeng prints of the same program; docs/compatibility.md names the differences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "base/text.h"
#include "support/windows_crashes.h"

namespace icecore::tests {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class WindowsTypes : public WindowsCrashes {
protected:
    /// Of a full dump, at the place of the exception.
    static std::string at(const std::string& commands) {
        return open(dump("variables", "2"), ".ecxr; .echo ---; " + commands);
    }
    /// What the commands themselves printed, addresses as "ADDR".
    static std::string plain(const std::string& commands) {
        const std::string text = at(commands);
        const std::size_t begin = text.find("---\n");
        EXPECT_NE(begin, std::string::npos) << text;
        return std::regex_replace(begin == std::string::npos ? text : text.substr(begin + 4),
                                  std::regex("[0-9a-f]{8}`[0-9a-f]{8}"), "ADDR");
    }
};

TEST_F(WindowsTypes, MembersOfAType) {
    EXPECT_EQ(plain("dt crash!ice::Thing"),
              R"(   +0x008 id               : Int8B
   +0x000 __VFN_table : Ptr64 
   +0x010 a                : Int4B
   +0x018 b                : Float
   +0x020 self             : Ptr64 ice::Thing
   +0x028 kind             : ice::Kind
   +0x02a colour           : ice::Colour
   +0x02c flags            : Pos 0, 3 Bits
   +0x02c rest             : Pos 3, 5 Bits
   +0x030 bits             : ice::Bits
   +0x038 names            : [3] Ptr64 Char
   +0x050 call             : Ptr64     int 
   +0x058 on               : Bool
   +0x059 letter           : Char
   +0x05a byte             : UChar
   +0x05b tiny             : Char
   +0x05c half             : Int2B
   +0x05e wide             : [8] Wchar
   +0x06e text             : [8] Char
   +0x078 small            : Float
   +0x080 big              : Uint8B
   +0x088 number           : Uint4B
   +0x08c grid             : [2] [3] Int4B
   +0x0a8 title            : Ptr64 Wchar
   +0x0b0 nothing          : Ptr64 Void
   +0x0b8 link             : ice::Link
   +0x0c8 base             : Ptr64 ice::Base
   =ADDR count            : Int4B
)");
    EXPECT_EQ(plain("dt crash!ice::Kind"), "   one = 0n1\n   two = 0n7\n");
    EXPECT_EQ(plain("dt crash!ice::Thing n*"),
              "   +0x038 names   : [3] Ptr64 Char\n   +0x088 number  : Uint4B\n"
              "   +0x0b0 nothing : Ptr64 Void\n");
}

TEST_F(WindowsTypes, AStructureInMemory) {
    const std::string text = plain("dt ice::Thing poi(second)");
    EXPECT_EQ(text, R"(crash!ice::Thing
   +0x008 id               : 0n-5
   +0x000 __VFN_table : 0xADDR 
   +0x010 a                : 0n-7
   +0x018 b                : 2.5 
   +0x020 self             : 0xADDR ice::Thing
   +0x028 kind             : 7 ( two )
   +0x02a colour           : ff ( red )
   +0x02c flags            : 0y101
   +0x02c rest             : 0y10001 (0x11)
   +0x030 bits             : ice::Bits
   +0x038 names            : [3] 0xADDR  "first name"
   +0x050 call             : 0xADDR     int  crash!ice::called+0
   +0x058 on               : 1
   +0x059 letter           : 120 'x'
   +0x05a byte             : 0xfe ''
   +0x05b tiny             : -2 ''
   +0x05c half             : 0n-300
   +0x05e wide             : [8]  "wide"
   +0x06e text             : [8]  "text"
   +0x078 small            : 0.5 
   +0x080 big              : 0xADDR
   +0x088 number           : 0xee6b2800
   +0x08c grid             : [2] [3] 0n1
   +0x0a8 title            : 0xADDR  "a title"
   +0x0b0 nothing          : (null) 
   +0x0b8 link             : ice::Link
   +0x0c8 base             : 0xADDR ice::Base
   =ADDR count            : 0n3
)");
    // By the variable's name it is the same, with and without the module.
    EXPECT_EQ("crash!ice::Thing" + plain("dt ice::thing").substr(16), text);
    EXPECT_EQ("crash!ice::Thing\n" + plain("dt crash!ice::thing"), text);
}

TEST_F(WindowsTypes, FieldsPathsAndDepth) {
    EXPECT_EQ(plain("dt crash!ice::thing bits. a"),
              "   +0x010 a    : 0n-7\n   +0x030 bits : \n"
              "      +0x000 whole            : 0x1020304\n"
              "      +0x000 parts            : [4]  \"\\x04\\x03\\x02\\x01\"\n");
    EXPECT_EQ(plain("dt crash!ice::thing link.next"),
              "   +0x0b8 link : \n      +0x000 next : 0xADDR ice::Link\n");
    EXPECT_EQ(plain("dt -a crash!ice::thing names"),
              "   +0x038 names : [3] 0xADDR  \"first name\"\n"
              "       [00] 0xADDR  \"first name\"\n       [01] (null) \n"
              "       [02] 0xADDR  \"third\\x09name\"\n");
    const std::string deep = plain("dt -r1 crash!ice::thing");
    EXPECT_THAT(deep, HasSubstr("      +0x010 a                : 0n-7\n"));
    EXPECT_THAT(deep, HasSubstr("   +0x0c8 base             : 0xADDR ice::Base\n"
                                "      +0x000 id               : 0n-5\n"));
    EXPECT_THAT(plain("dt -y ice::Thing fl"), HasSubstr("flags : Pos 0, 3 Bits\n"));
    EXPECT_THAT(plain("dt crash!ice::nodes"),
                HasSubstr("[2] @ ADDR \n---------------------------------------------\n"
                          "   +0x000 link             : ice::Link\n"
                          "   +0x010 value            : 0n102\n"));
    // Along the pointers of the entries, to the structures around them.
    const std::string list = plain("dt -l link.next crash!ice::Node ice::nodes value");
    EXPECT_THAT(list, HasSubstr("link.next at 0xADDR\n-----"));
    const std::size_t first = list.find("0n100"), second = list.find("0n101"),
                      third = list.find("0n102");
    EXPECT_TRUE(first < second && second < third && third != std::string::npos) << list;
    EXPECT_EQ(list.find("0n100", third), std::string::npos) << "it is a ring";
}

TEST_F(WindowsTypes, NamesByPattern) {
    const std::string names = at("dt crash!ice::T*");
    EXPECT_THAT(names, HasSubstr("          crash!ice::Thing\n"));
    EXPECT_THAT(names, ContainsRegex("[0-9a-f]{16}  crash!ice::thing\n"));
    EXPECT_THAT(names, Not(HasSubstr("crash!ice::Node")));
    EXPECT_THAT(at("dt crash!nosuch"), HasSubstr("Symbol crash!nosuch not found."));
    EXPECT_THAT(at("dt ntdll!_PEB"), HasSubstr("the symbols of ntdll tell no types"));
    EXPECT_THAT(at("dt crash!ice::Thing nosuch"), HasSubstr("neither a field"));
    EXPECT_THAT(at("dt crash!ice::Thing 10"), HasSubstr("   +0x010 a                : ??\n"));
}

TEST_F(WindowsTypes, VariablesOfAFunctionWithoutOptimisation) {
    EXPECT_EQ(plain("dv"), R"(          inner = 0xADDR "inner text"
           wide = 0n-1234567890123
          first = 0n-1
         second = 0xADDR
          third = 0n99 'c'
         fourth = 1.25
            sum = 0n-1912276063
         narrow = 0xbeef
        pointer = 0xADDR
         values = int [3]
           bits = union ice::Bits
    staticLocal = 0n198
)");
    EXPECT_EQ(plain("dv /t /v /i s*"),
              R"(prv param  ADDR struct ice::Thing * second = 0xADDR
prv local  ADDR int sum = 0n-1912276063
prv local  ADDR int staticLocal = 0n198
)");
    // A name is an address, as that of any symbol.
    EXPECT_THAT(at("dd narrow L1"), ContainsRegex("....beef\n"));
    EXPECT_THAT(plain("dt second"), HasSubstr(" Type const ice::Thing &\n0xADDR \n"
                                              "   +0x008 id               : 0n-5\n"));
    EXPECT_THAT(plain("dt values"), HasSubstr("[3] 0n1\n"));
}

TEST_F(WindowsTypes, VariablesOfOptimisedAndInlinedCode) {
    EXPECT_EQ(plain(".frame 1; dv /t /v /i").substr(0, 3), "01 ");
    const std::string inlined = plain(".frame 1; dv /t /v /i");
    EXPECT_THAT(inlined,
                HasSubstr("prv param  @rdi              struct ice::Thing * of = 0xADDR\n"));
    EXPECT_THAT(inlined, HasSubstr("int step = "));
    const std::string outer = plain(".frame 2; dv /t /v /i");
    EXPECT_THAT(outer, HasSubstr("@rdi              struct ice::Thing * of = 0xADDR\n"));
    EXPECT_THAT(outer, HasSubstr("prv local  @ebx              int result = 0n2\n"));
    EXPECT_THAT(outer, Not(HasSubstr("doubled")));
}

TEST_F(WindowsTypes, ExpressionsOfCpp) {
    EXPECT_EQ(plain("?? sum"), "int 0n-1912276063\n");
    EXPECT_EQ(plain("?? &sum"), "int * 0xADDR\n");
    EXPECT_EQ(plain("?? wide"), "int64 0n-1234567890123\n");
    EXPECT_EQ(plain("?? third"), "char 0n99 'c'\n");
    EXPECT_EQ(plain("?? fourth / 2"), "double 0.625\n");
    EXPECT_EQ(plain("?? narrow"), "unsigned short 0xbeef\n");
    EXPECT_EQ(plain("?? narrow * 2"), "unsigned int 0x17dde\n");
    EXPECT_EQ(plain("?? sum + first"), "int 0n-1912276064\n");
    EXPECT_EQ(plain("?? sum > 0"), "bool false\n");
    EXPECT_EQ(plain("?? staticLocal"), "int 0n198\n");
    EXPECT_EQ(plain("?? inner"), "char * 0xADDR\n \"inner text\"\n");
    EXPECT_EQ(plain("?? *inner"), "char 0n105 'i'\n");
    EXPECT_EQ(plain("?? inner[1]"), "char 0n110 'n'\n");
    EXPECT_EQ(plain("?? values"), "int [3] 0xADDR\n0n1\n");
    EXPECT_EQ(plain("?? values[1]"), "int 0n2\n");
    EXPECT_THAT(plain("?? bits"), HasSubstr("union ice::Bits\n   +0x000 whole            : 0x"));
    const std::string thing = plain("?? crash!ice::thing");
    EXPECT_THAT(thing,
                testing::StartsWith("struct ice::Thing\n   +0x008 id               : 0n-5\n"));
    EXPECT_EQ(plain("?? *pointer"), thing);
    // Pointers and references show what they lead to.
    const std::string led = "struct ice::Thing * 0xADDR\n" + thing.substr(thing.find('\n') + 1);
    for (const char* one : {"second", "pointer", "&crash!ice::thing", "&ice::thing"})
        EXPECT_EQ(plain("?? " + std::string(one)), led) << one;
    EXPECT_EQ(plain("?? crash!ice::thing.a"), "int 0n-7\n");
    EXPECT_EQ(plain("?? crash!ice::thing.id"), "int64 0n-5\n") << "of a base";
    EXPECT_EQ(plain("?? crash!ice::thing.self->a"), "int 0n-7\n");
    EXPECT_EQ(plain("?? second.a + 1"), "int 0n-6\n");
    EXPECT_EQ(plain("?? crash!ice::thing.names[0]"), "char * 0xADDR\n \"first name\"\n");
    EXPECT_EQ(plain("?? crash!ice::thing.kind"), "ice::Kind two (0n7)\n");
    EXPECT_EQ(plain("?? crash!ice::thing.flags"), "unsigned int 5\n");
    EXPECT_EQ(plain("?? crash!ice::thing.on"), "bool true\n");
    EXPECT_EQ(plain("?? sizeof(crash!ice::Thing)"), "unsigned int64 0xd0\n");
    EXPECT_EQ(plain("?? ((crash!ice::Thing*)&crash!ice::thing)->big"), "unsigned int64 0xADDR\n");
    EXPECT_THAT(plain("?? pointer + 1"), testing::StartsWith("struct ice::Thing * 0xADDR\n"));
    EXPECT_EQ(plain("? @@c++(&pointer->b) - @@c++(pointer)"), "Evaluate expression: 24 = ADDR\n");
    EXPECT_EQ(plain("?? #FIELD_OFFSET(crash!ice::Thing, big)"), "int 0n128\n");
    EXPECT_THAT(plain("?? (crash!ice::Thing*)0x10"),
                HasSubstr("   +0x010 a                : ??\n"));
    EXPECT_THAT(plain("?? crash!ice::called"), HasSubstr("<function> 0xADDR\n crash!ice::called"));
    EXPECT_THAT(plain("?? crash!ice::thing.nosuch"),
                HasSubstr("'struct ice::Thing' has no member 'nosuch'"));
    EXPECT_THAT(plain("?? nosuch"), HasSubstr("Couldn't resolve error at 'nosuch'"));
    EXPECT_THAT(plain("?? *pointer + 1"), HasSubstr("a number is needed, not 'struct ice::Thing'"));
}

TEST_F(WindowsTypes, VersionsOfModules) {
    const std::string text = at("lm v m kernel32");
    EXPECT_THAT(text, HasSubstr("    Image path: C:\\windows\\system32\\kernel32.dll\n"
                                "    Image name: kernel32.dll\n"));
    EXPECT_THAT(text, ContainsRegex("    Timestamp:        .* \\([0-9A-F]{8}\\)\n"));
    EXPECT_THAT(text, ContainsRegex("    File version:     [0-9.]+\n"));
    EXPECT_THAT(text, ContainsRegex("    Product version:  [0-9.]+\n"));
    EXPECT_THAT(text, HasSubstr("    File flags:       0 (Mask 3F)\n"
                                "    File OS:          0 Unknown Base\n"
                                "    File type:        2.0 Dll\n"));
    EXPECT_THAT(text, HasSubstr("    Information from resource tables:\n"
                                "        CompanyName:      Microsoft Corporation\n"));
    EXPECT_THAT(text, HasSubstr("        OriginalFilename: kernel32.dll\n"));
    for (const char* same : {"lmvm kernel32", "lm -v m kernel32"})
        EXPECT_THAT(at(same), HasSubstr("        OriginalFilename: kernel32.dll\n")) << same;
}

}  // namespace
}  // namespace icecore::tests
