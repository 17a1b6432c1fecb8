// .load: an extension written in C, as docs/extensions.md shows, over a dump of ourselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "open_core.h"
#include "support/paths.h"
#include "support/scratch.h"

namespace icecore::tests {
namespace {

using testing::HasSubstr;

constexpr const char* source = R"c(
#include "icecore_extension.h"
#include <stdio.h>
#include <string.h>

static void say(const icecore_host* host, const char* text) {
    host->print(host, text, strlen(text));
}
static int where(const icecore_host* host, const char* arguments) {
    char line[300], name[200];
    uint64_t address = 0;
    unsigned char byte = 0;
    if (!host->evaluate(host, *arguments ? arguments : "@$ip", &address)) return 0;
    host->symbol(host, address, name, sizeof name);
    size_t got = host->read_memory(host, address, &byte, 1);
    snprintf(line, sizeof line, "%s, %zu byte: %02x, pointers of %u, %zu threads, the first %llx\n",
             name, got, byte, host->pointer_size(host), host->thread_count(host),
             (unsigned long long)host->thread_id(host, 0));
    say(host, line);
    return 1;
}
static int twice(const icecore_host* host, const char* arguments) {
    return host->execute(host, arguments) && host->execute(host, arguments);
}
static const icecore_command commands[] = {
    {"where", "what stands at an address", where},
    {"twice", "a command, two times", twice},
    {0, 0, 0},
};
const icecore_command* icecore_extension(uint32_t api) {
    return api >= ICECORE_EXTENSION_API ? commands : 0;
}
)c";

TEST(OpenExtensions, CommandsOfALibrary) {
    const Scratch scratch;
    std::ofstream(scratch.file("ice.c")) << source;
    const ShellOutput built =
        shell("cc -shared -fPIC -Wall -Werror -I '" + sourceFile("src/debugger") + "' -o " +
              scratch.file("ice.so") + " " + scratch.file("ice.c") + " 2>&1");
    ASSERT_EQ(built.status, 0) << built.text;
    std::ofstream(scratch.file("commands"))
        << ".load " << scratch.file("ice.so")
        << "\n!where; !ice.where @$ip; !twice .echo again; !nosuch; !where nosuch; .chain\n"
        << ".unload ice\n!where\n";
    const CrasherCore core;
    ASSERT_TRUE(core.made());
    const std::string text = core.open("$<" + scratch.file("commands")).text;
    EXPECT_THAT(text, HasSubstr("!where           what stands at an address\n"));
    EXPECT_THAT(text, HasSubstr("1 byte: "));
    EXPECT_THAT(text, HasSubstr("pointers of 8"));
    EXPECT_THAT(text, HasSubstr("again\nagain\n"));
    EXPECT_THAT(text, HasSubstr("!where failed"));
    EXPECT_THAT(text, HasSubstr("ice unloaded\n"));
    EXPECT_THAT(text, HasSubstr("Unknown command '!where'"));
}

}  // namespace
}  // namespace icecore::tests
