#include "symbols/search_path.h"

#include <gtest/gtest.h>

namespace icecore {
namespace {

using Kind = SymbolSite::Kind;

TEST(SymbolPath, isReadAsWindbgReadsIt) {
    const std::vector<SymbolSite> expected = {
        {Kind::folder, {"C:\\symbols"}},
        {Kind::folder, {"/opt/symbols"}},
        {Kind::cache, {"/cache"}},
        {Kind::stores, {"/store", "https://msdl.microsoft.com/download/symbols"}},
        {Kind::stores, {"/a", "/b", "http://server/symbols"}},
        {Kind::stores, {"", "https://server"}},
        {Kind::stores, {"/store"}},
        {Kind::stores, {"/c", "https://other"}},
        {Kind::stores, {"https://bare/server"}},
    };
    EXPECT_EQ(parseSymbolPath(
                  "C:\\symbols; /opt/symbols ;cache*/cache;srv*/store*"
                  "https://msdl.microsoft.com/download/symbols;SRV*/a*/b*http://server/symbols;"
                  "srv**https://server;srv*/store;symsrv*SymSrv.dll*/c*https://other;;"
                  "https://bare/server;symsrv*other.dll*/d*https://no;ftp://not/this"),
              expected);
    EXPECT_TRUE(parseSymbolPath("").empty());
    const std::vector<SymbolSite> two = {{Kind::folder, {"/a"}}, {Kind::folder, {"/b"}}};
    EXPECT_EQ(parseSymbolPath("/a:/b"), two);
}

TEST(SymbolPath, foldersAreThoseOfThisMachine) {
    const std::vector<std::string> expected = {"/a", "/b", "/c", "/d"};
    EXPECT_EQ(symbolPathFolders("/a;cache*/b;srv*/c*https://server;symsrv*symsrv.dll*/d*http://x"),
              expected);
}

}  // namespace
}  // namespace icecore
