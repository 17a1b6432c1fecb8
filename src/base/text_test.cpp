#include "base/text.h"

#include <gtest/gtest.h>

namespace icecore {
namespace {

TEST(Printable, KeepsTextAndShowsWhatATerminalWouldObey) {
    EXPECT_EQ(printable(""), "");
    EXPECT_EQ(printable("plain ~text!"), "plain ~text!");
    EXPECT_EQ(printable("caf\u00e9 \u65e5\u672c \U0001f9ca"), "caf\u00e9 \u65e5\u672c \U0001f9ca");
    EXPECT_EQ(printable("\x1b[31mred\n\tend\x7f"), "\\x1b[31mred\\x0a\\x09end\\x7f");
    EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
    // C1 controls (CSI) as UTF-8, and bytes that are no UTF-8: alone, cut short, overlong,
    // surrogates, beyond Unicode.
    EXPECT_EQ(printable("\xc2\x9b"
                        "2J"),
              "\\xc2\\x9b2J");
    EXPECT_EQ(printable("a\xffz"), "a\\xffz");
    EXPECT_EQ(printable("cut \xe6\x97"), "cut \\xe6\\x97");
    EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");
    EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

}  // namespace
}  // namespace icecore
