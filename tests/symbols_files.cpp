// Which files a module's symbols are taken from, and which are refused: separate debug files in
// every place, .gnu_debugdata, debuginfod.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "support/victim.h"
#include "symbols/debuginfod.h"
#include "symbols_tools.h"

namespace icecore::tests {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// A stripped program, its full twin, and its debug file somewhere.
class SymbolsFiles : public testing::Test {
protected:
    void build(const std::string& options = "-O2 -g") {
        program = compileShapes(folder, "g++", options);
        whole = folder / "whole";
        debug = folder / "kept.debug";
        must("cp " + program.string() + " " + whole.string());
        must("objcopy --only-keep-debug " + program.string() + " " + debug.string());
        must("strip " + program.string());
    }
    static void must(const std::string& command) {
        const Ran ran = run(command + " 2>&1");
        ASSERT_EQ(ran.status, 0) << command << ": " << ran.output;
    }
    /// Moves the debug file to where the debuglink of the program then names it.
    void linkTo(const fs::path& place) {
        fs::create_directories(place.parent_path());
        fs::copy_file(debug, place, fs::copy_options::overwrite_existing);
        must("objcopy --add-gnu-debuglink=" + place.string() + " " + program.string());
    }
    [[nodiscard]] ModuleFiles find(const SymbolOptions& options = {}) const {
        return findFilesOf(openElf(program), options);
    }
    /// Every address of the code is answered as by the program that was never stripped.
    void expectSameAsWhole(ModuleFiles files) const {
        ASSERT_EQ(files.info.kind, SymbolKind::dwarf) << testing::PrintToString(files.info.tried);
        const auto image = openElf(whole);
        const ModuleSymbolizer expected(findFilesOf(image, {}));
        const ModuleSymbolizer actual(std::move(files));
        for (const std::uint64_t address : textAddresses(*image))
            ASSERT_EQ(ourFrames(actual, address), ourFrames(expected, address)) << hex(address);
    }

    Folder folder;
    fs::path program, whole, debug;
};

TEST_F(SymbolsFiles, besideByDebugLink) {
    build();
    linkTo(folder / "shapes.debug");
    expectSameAsWhole(find());
}

TEST_F(SymbolsFiles, inDotDebugByDebugLink) {
    build();
    linkTo(folder / "shapes.debug");
    fs::create_directories(folder / ".debug");
    fs::rename(folder / "shapes.debug", folder / ".debug/shapes.debug");
    expectSameAsWhole(find());
}

TEST_F(SymbolsFiles, bySymbolPath) {
    build();
    SymbolOptions options;
    options.path = (folder / "nowhere").string() + ";" + (folder / "symbols").string();
    EXPECT_EQ(find(options).info.kind, SymbolKind::exported);
    const auto image = openElf(program);
    const auto id = image->buildId();
    for (const fs::path& place :
         {folder / "symbols" / buildIdPath(id, ".debug"), folder / "symbols/shapes.debug",
          folder / "symbols/shapes", folder / "symbols" / program.relative_path()}) {
        fs::create_directories(place.parent_path());
        fs::copy_file(debug, place);
        const ModuleFiles files = find(options);
        EXPECT_EQ(files.info.debugPath, place.string());
        expectSameAsWhole(files);
        fs::remove(place);
    }
}

TEST_F(SymbolsFiles, underTheSysrootsDebugFolder) {
    build();
    const auto image = openElf(program);
    const auto id = image->buildId();
    const fs::path place = folder / "root/usr/lib/debug" / buildIdPath(id, ".debug");
    fs::create_directories(place.parent_path());
    fs::copy_file(debug, place);
    SymbolOptions options;
    options.root = (folder / "root").string();
    expectSameAsWhole(find(options));
    options.useDefaultPaths = false;
    EXPECT_EQ(find(options).info.kind, SymbolKind::exported);
}

TEST_F(SymbolsFiles, anothersDebugFileIsRefused) {
    build();
    linkTo(folder / "shapes.debug");
    // The same source, compiled otherwise: other addresses, another build-id.
    const fs::path other = compileShapes(folder, "g++", "-O0 -g", "other");
    must("objcopy --only-keep-debug " + other.string() + " " + (folder / "shapes.debug").string());
    const ModuleFiles files = find();
    EXPECT_EQ(files.info.debugPath, "");
    EXPECT_NE(files.info.kind, SymbolKind::dwarf);
    EXPECT_THAT(files.info.tried, Contains(HasSubstr("its build-id is")));
    const ModuleSymbolizer symbols(files);
    for (const std::uint64_t address : textAddresses(*openElf(program))) {
        for (const PlainFrame& frame : ourFrames(symbols, address))
            EXPECT_EQ(frame.line, 0U);
    }

    SymbolOptions force;
    force.allowMismatch = true;
    EXPECT_TRUE(find(force).info.forced);
    EXPECT_EQ(find(force).info.kind, SymbolKind::dwarf);
}

TEST_F(SymbolsFiles, withoutBuildIdTheChecksumDecides) {
    build("-O2 -g -Wl,--build-id=none");
    linkTo(folder / "shapes.debug");
    const ModuleFiles files = find();
    EXPECT_THAT(files.info.tried, Contains(HasSubstr("checksum matches")));
    expectSameAsWhole(files);
    {
        std::ofstream change(folder / "shapes.debug", std::ios::app | std::ios::binary);
        change << "one more byte";
    }
    const ModuleFiles refused = find();
    EXPECT_NE(refused.info.kind, SymbolKind::dwarf);
    EXPECT_THAT(refused.info.tried, Contains(HasSubstr("checksum is not")));
}

/// As Fedora's find-debuginfo makes it: the symbols that .dynsym lacks, xz-compressed, in a
/// section.
TEST_F(SymbolsFiles, miniDebugInfo) {
    if (!have("xz")) GTEST_SKIP() << "xz is not installed";
    build();
    const std::string mini = (folder / "mini").string();
    must("objcopy -S --remove-section .gdb_index --remove-section .comment " + whole.string() +
         " " + mini + " && cp " + whole.string() + " " + mini + " && strip --strip-debug " + mini +
         " && xz -k " + mini);
    const ModuleFiles bare = find();
    EXPECT_EQ(bare.info.kind, SymbolKind::exported);
    must("objcopy --add-section .gnu_debugdata=" + mini + ".xz " + program.string());
    const ModuleFiles files = find();
    EXPECT_EQ(files.info.kind, SymbolKind::symtab) << testing::PrintToString(files.info.tried);
    const ModuleSymbolizer symbols(files);
    const auto symbol = symbols.byName("plainName");
    ASSERT_TRUE(symbol.has_value());
    const auto located = symbols.locate(symbol->address + 2, false);
    ASSERT_EQ(located.frames.size(), 1U);
    EXPECT_EQ(located.frames[0].function, "plainName");
    EXPECT_EQ(located.frames[0].functionOffset, 2U);

    // Damaged: said, and nothing worse.
    must("head -c 200 " + mini + ".xz > " + mini +
         ".cut && objcopy --remove-section .gnu_debugdata " +
         "--add-section .gnu_debugdata=" + mini + ".cut " + program.string());
    EXPECT_THAT(find().info.tried, Contains(HasSubstr("damaged .xz data")));
}

/// A real HTTP server on the loopback interface; its requests are counted from its log.
class Server {
public:
    explicit Server(const Folder& folder, const fs::path& content) : log_(folder / "server.log") {
        const std::string portFile = (folder / "port").string();
        const Ran started =
            run("python3 -u -m http.server 0 --bind 127.0.0.1 --directory " + content.string() +
                " > " + portFile + " 2> " + log_.string() + " & echo $!");
        pid_ = static_cast<pid_t>(parseDecimal(trim(started.output)).value_or(0));
        for (int i = 0; i < 3000 && port_ == 0; ++i) {
            std::ifstream file(portFile);
            const std::string text{std::istreambuf_iterator<char>(file), {}};
            const std::size_t at = text.find("port ");
            if (at != std::string::npos && text.find('\n') != std::string::npos)
                port_ = parseDecimal(splitBlanks(text.substr(at + 5))[0]).value_or(0);
            if (port_ == 0) ::usleep(10'000);
        }
    }
    ~Server() { stop(); }
    void stop() {
        if (pid_ > 0) ::kill(pid_, SIGKILL);
        pid_ = 0;
    }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] bool running() const { return port_ != 0; }
    [[nodiscard]] std::size_t requests() const {
        std::ifstream file(log_);
        std::size_t count = 0;
        for (std::string line; std::getline(file, line);)
            count += line.find("GET /") != std::string::npos;
        return count;
    }

private:
    fs::path log_;
    pid_t pid_ = 0;
    std::uint64_t port_ = 0;
};

class SymbolsDebuginfod : public SymbolsFiles {
protected:
    void SetUp() override {
        build();
        const auto image = openElf(program);
        id.assign(image->buildId().begin(), image->buildId().end());
        content = folder / "content";
        fs::create_directories(content / "buildid" / hexBytes(id));
        fs::copy_file(debug, content / "buildid" / hexBytes(id) / "debuginfo");
        options.cache = folder / "cache";
        ::setenv("DEBUGINFOD_CACHE_PATH", options.cache.c_str(), 1);
    }
    void TearDown() override { ::unsetenv("DEBUGINFOD_CACHE_PATH"); }

    std::vector<std::byte> id;
    fs::path content;
    DebuginfodOptions options;
};

TEST_F(SymbolsDebuginfod, fetchesCachesAndRemembers) {
    Server server(folder, content);
    ASSERT_TRUE(server.running());
    SymbolOptions symbolOptions;
    symbolOptions.debuginfodUrls = server.url();
    expectSameAsWhole(find(symbolOptions));
    const fs::path cached = options.cache / hexBytes(id) / "debuginfo";
    EXPECT_EQ(fs::file_size(cached), fs::file_size(debug));
    EXPECT_EQ(server.requests(), 1U);

    // A second time out of the cache, without asking.
    expectSameAsWhole(find(symbolOptions));
    EXPECT_EQ(server.requests(), 1U);

    // What no server has is not asked for again at once.
    const std::vector<std::byte> unknown(20, std::byte{0x77});
    for (int i = 0; i < 2; ++i) {
        const auto missing =
            debuginfodFetch(server.url(), unknown, DebuginfodKind::debuginfo, options);
        ASSERT_FALSE(missing.has_value());
        EXPECT_EQ(missing.error().code, Errc::not_found);
    }
    EXPECT_EQ(server.requests(), 2U);
    DebuginfodOptions impatient = options;
    impatient.rememberMiss = std::chrono::seconds(0);
    EXPECT_FALSE(debuginfodFetch(server.url(), unknown, DebuginfodKind::debuginfo, impatient));
    EXPECT_EQ(server.requests(), 3U);

    // Unreachable is not the same as not there, and is not remembered.
    const std::vector<std::byte> other(20, std::byte{0x78});
    const std::string url = server.url();
    server.stop();
    const auto failed = debuginfodFetch(url, other, DebuginfodKind::debuginfo, options);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().code, Errc::io);
    EXPECT_FALSE(fs::exists(options.cache / hexBytes(other) / "debuginfo"));
    EXPECT_TRUE(fs::is_empty(options.cache / hexBytes(other))) << "no temporary files stay behind";
}

TEST_F(SymbolsDebuginfod, aWrongFileFromAServerIsRefused) {
    const fs::path other = compileShapes(folder, "g++", "-O0 -g", "other");
    fs::copy_file(other, content / "buildid" / hexBytes(id) / "debuginfo",
                  fs::copy_options::overwrite_existing);
    const Server server(folder, content);
    ASSERT_TRUE(server.running());
    SymbolOptions symbolOptions;
    symbolOptions.debuginfodUrls = server.url();
    const ModuleFiles files = find(symbolOptions);
    EXPECT_NE(files.info.kind, SymbolKind::dwarf);
    EXPECT_THAT(files.info.tried, Contains(HasSubstr("its build-id is")));
}

TEST_F(SymbolsDebuginfod, nobodyIsAskedWithoutBeingNamed) {
    ::setenv("DEBUGINFOD_URLS", "http://127.0.0.1:9", 1);
    const ModuleFiles files = find();
    ::unsetenv("DEBUGINFOD_URLS");
    EXPECT_FALSE(fs::exists(options.cache));
    EXPECT_THAT(files.info.tried, Not(Contains(HasSubstr("debuginfod"))));
}

TEST_F(SymbolsDebuginfod, theProgramFetches) {
    const Server server(folder, content);
    ASSERT_TRUE(server.running());
    const Ran ran = run(tests::program() + " symbols fetch --json --server " + server.url() + " " +
                        program.string());
    EXPECT_EQ(ran.status, 0);
    const auto json = nlohmann::json::parse(ran.output, nullptr, false);
    ASSERT_TRUE(json.is_array() && json.size() == 1) << ran.output;
    EXPECT_TRUE(fs::exists(json[0].value("path", ""))) << ran.output;
    EXPECT_EQ(run(tests::program() + " symbols fetch " + program.string() + " 2>/dev/null").status,
              2);
}

class SymbolsVerb : public SymbolsFiles {};

TEST_F(SymbolsVerb, lookUpFollowsTheContract) {
    build("-O2 -g -no-pie");
    const auto image = openElf(whole);
    const ModuleSymbolizer symbols(findFilesOf(image, {}));
    const auto symbol = symbols.byName("plainName");
    ASSERT_TRUE(symbol.has_value());
    const std::string address = hex(symbol->address - image->imageBase());
    const Ran ran =
        run(tests::program() + " symbols lookup --json " + whole.string() + " " + address);
    EXPECT_EQ(ran.status, 0);
    const auto json = nlohmann::json::parse(ran.output, nullptr, false);
    ASSERT_TRUE(json.is_array() && json.size() == 1) << ran.output;
    EXPECT_EQ(json[0]["address"], address);
    const auto& frame = json[0]["frames"].back();
    EXPECT_EQ(frame["function"], "plainName");
    EXPECT_EQ(frame["function_offset"], "0x0");
    EXPECT_THAT(frame["file"].get<std::string>(), testing::EndsWith("symbols_shapes.cpp"));
    EXPECT_GT(frame["line"].get<int>(), 0);
    EXPECT_EQ(frame["inline"], false);

    // The same from standard input, as text, and by absolute addresses.
    const Ran text = run("echo " + hex(symbol->address) + " | " + tests::program() +
                         " symbols lookup --absolute " + whole.string());
    EXPECT_THAT(text.output, HasSubstr("plainName+0x0 at "));
    EXPECT_EQ(
        run(tests::program() + " symbols lookup " + whole.string() + " xyz 2>/dev/null").status, 1);
    EXPECT_EQ(run(tests::program() + " symbols lookup /dev/null 1 2>/dev/null").status, 1);
}

TEST_F(SymbolsVerb, checkTellsMatchFromMismatch) {
    build();
    linkTo(folder / "shapes.debug");
    EXPECT_EQ(run(tests::program() + " symbols check " + program.string()).status, 0);
    const fs::path other = compileShapes(folder, "g++", "-O0 -g", "other");
    must("objcopy --only-keep-debug " + other.string() + " " + (folder / "shapes.debug").string());
    const Ran ran = run(tests::program() + " symbols check " + program.string());
    EXPECT_EQ(ran.status, 1);
    EXPECT_THAT(ran.output, HasSubstr("NO MATCH"));
    EXPECT_THAT(ran.output, HasSubstr("its build-id is"));
}

/// The modules of a real process' dump, and whether files belong to it.
TEST_F(SymbolsVerb, listsAndChecksADump) {
    build();
    Victim victim("bench_stacks", {"2"});
    ASSERT_EQ(victim.line(), "ready");
    const std::string core = (folder / "dump.core").string();
    const Ran dumped =
        run(tests::program() + " dump " + std::to_string(victim.pid()) + " -o " + core + " 2>&1");
    ASSERT_TRUE(fs::exists(core)) << dumped.output;
    const Ran ran = run(tests::program() + " symbols list --json " + core);
    EXPECT_EQ(ran.status, 0);
    const auto json = nlohmann::json::parse(ran.output, nullptr, false);
    ASSERT_TRUE(json.is_array()) << ran.output;
    std::size_t seen = 0;
    for (const auto& module : json) {
        const std::string path = module.value("path", "");
        if (!path.starts_with('/')) continue;
        const auto image = openElf(path);
        ASSERT_NE(image, nullptr) << path;
        EXPECT_EQ(module["id"], hexBytes(image->buildId())) << path;
        EXPECT_EQ(module["image_file"], path);
        EXPECT_NE(module["symbols"], "mismatch") << path;
        if (path == target("bench_stacks")) {
            EXPECT_EQ(module["symbols"], "dwarf");
            ++seen;
        }
        if (path.ends_with("/libc.so.6")) ++seen;
    }
    EXPECT_EQ(seen, 2U) << ran.output;
    EXPECT_THAT(run(tests::program() + " symbols list --verbose " + core).output,
                HasSubstr("build-id matches"));

    const std::string check = tests::program() + " symbols check " + core + " ";
    EXPECT_EQ(run(check + target("bench_stacks")).status, 0);
    const Ran stranger = run(check + program.string());
    EXPECT_EQ(stranger.status, 1);
    EXPECT_THAT(stranger.output, HasSubstr("no module of the dump has its build-id"));
}

}  // namespace
}  // namespace icecore::tests
