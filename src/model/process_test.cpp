#include "model/process.h"

#include <gtest/gtest.h>

namespace icecore {
namespace {

TEST(Module, IsCalledByAShortName) {
    const auto shortName = [](std::string path) {
        Module module;
        module.path = std::move(path);
        return std::string(module.shortName());
    };
    EXPECT_EQ(shortName("/lib/x86_64-linux-gnu/libc.so.6"), "libc");
    EXPECT_EQ(shortName("/usr/lib/libpython3.11.so.1.0"), "libpython3.11");
    EXPECT_EQ(shortName("/usr/bin/python3.11"), "python3.11");
    EXPECT_EQ(shortName("[vdso]"), "vdso");
    EXPECT_EQ(shortName("C:\\Windows\\notepad.exe"), "notepad");
    EXPECT_EQ(shortName("/x/.so"), ".so");
    EXPECT_EQ(shortName("/x/libsomething.sock"), "libsomething");
    EXPECT_EQ(shortName(""), "");
}

}  // namespace
}  // namespace icecore
