// Every verb has a man page, and the pages name exactly the options that the program has.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/paths.h"

namespace icecore {
namespace {

std::string outputOf(const std::string& command) {
    std::string text;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return text;
    std::array<char, 4096> buffer{};
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
        text.append(buffer.data(), got);
    pclose(pipe);
    return text;
}

/// The first words of the indented lines below "TITLE:", as the program's help prints its lists.
std::vector<std::string> listedUnder(const std::string& help, const std::string& title) {
    std::vector<std::string> words;
    bool inside = false;
    for (const std::string_view line : split(help, '\n')) {
        if (line == title + ":") {
            inside = true;
        } else if (inside && line.starts_with("  ") && !line.starts_with("   ")) {
            words.emplace_back(splitBlanks(line).front());
        } else if (inside && !line.starts_with("  ")) {
            inside = false;
        }
    }
    return words;
}

std::vector<std::string> verbs() {
    return listedUnder(outputOf(tests::program() + " help"), "Verbs");
}

/// Options of a verb and of what stands below it ("symbols list"), with their dashes.
std::set<std::string> optionsOf(const std::string& command) {
    const std::string help = outputOf(tests::program() + " " + command + " --help");
    std::set<std::string> options;
    // Whatever they are grouped under ("Options", "Wait until").
    for (const std::string_view line : split(help, '\n')) {
        if (!line.starts_with("  -")) continue;
        for (const std::string_view word : split(splitBlanks(line).front(), ','))
            options.emplace(word);
    }
    for (const std::string& below : listedUnder(help, "Subcommands"))
        options.merge(optionsOf(std::string(command).append(" ").append(below)));
    return options;
}

std::filesystem::path page(const std::string& verb) {
    return tests::sourceFile("man/icecore-" + verb + ".1");
}

/// The options that have an entry of their own: ".It Fl o , Fl -output Ar PATH".
std::set<std::string> describedIn(const std::filesystem::path& path) {
    std::set<std::string> options;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto words = splitBlanks(line);
        if (words.empty() || words.front() != ".It") continue;
        for (std::size_t i = 1; i + 1 < words.size(); ++i) {
            if (words[i] == "Fl") options.insert("-" + std::string(words[i + 1]));
        }
    }
    return options;
}

TEST(ManPages, EveryVerbHasOneAndTheMainPageNamesIt) {
    const auto all = verbs();
    ASSERT_FALSE(all.empty());
    std::ifstream file(tests::sourceFile("man/icecore.1"));
    const std::string main{std::istreambuf_iterator<char>(file), {}};
    for (const std::string& verb : all) {
        EXPECT_TRUE(std::filesystem::exists(page(verb))) << verb;
        EXPECT_NE(main.find("\n.It Cm " + verb + "\n"), std::string::npos) << verb;
        EXPECT_NE(main.find(".Xr icecore-" + verb + " 1"), std::string::npos) << verb;
    }
}

TEST(ManPages, NameExactlyTheOptionsThatThereAre) {
    for (const std::string& verb : verbs()) {
        const auto options = optionsOf(verb);
        EXPECT_TRUE(options.contains("--help")) << verb;
        EXPECT_EQ(describedIn(page(verb)), options) << verb;
    }
}

TEST(ManPages, NoneIsOfAVerbThatIsNotThere) {
    const auto all = verbs();
    for (const auto& entry : std::filesystem::directory_iterator(tests::sourceFile("man"))) {
        const std::string name = entry.path().stem();
        if (name == "icecore") continue;
        EXPECT_TRUE(std::ranges::any_of(all, [&](const auto& verb) {
            return name == "icecore-" + verb;
        })) << name;
    }
}

TEST(ManPages, RenderWithoutWarnings) {
    if (outputOf("command -v mandoc").empty()) GTEST_SKIP() << "mandoc is not installed";
    for (const auto& entry : std::filesystem::directory_iterator(tests::sourceFile("man")))
        EXPECT_EQ(outputOf("mandoc -T lint -W warning " + entry.path().string() + " 2>&1"), "");
}

}  // namespace
}  // namespace icecore
