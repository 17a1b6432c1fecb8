// `icecore symbols` and the debugger with the symbols of Windows: a dump of one module whose image
// and PDB lie on a server, and files that are another's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "bytes/endian.h"
#include "formats/format.h"
#include "images/pe_image.h"
#include "support/msf_writer.h"
#include "support/symbol_server.h"
#include "support/terminal.h"
#include "support/windows_build.h"
#include "support/windows_shapes.h"
#include "symbols/pdb/pdb_file.h"

namespace icecore::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

/// A dump of Windows with one module, its image and PDB on a server.
class SymbolsOfWindows : public testing::Test {
protected:
    void SetUp() override {
        if (!canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
        if (shell("command -v python3").status != 0) GTEST_SKIP() << "python3 is not installed";
        ASSERT_EQ(
            buildForWindows(
                scratch_.file(""), windowsShapes,
                {.compile = "-O2 -fno-rtti", .link = "/dll /pdbaltpath:%_PDB%", .name = "shapes"}),
            "");
        const auto opened = PeImage::open(*openMappedFile(scratch_.file("shapes.dll")));
        ASSERT_TRUE(opened.has_value());
        image_ = *opened;
        const fs::path store = scratch_.file("store");
        place("shapes.dll", store / "shapes.dll" / image_->id());
        place("shapes.pdb", store / "shapes.pdb" / image_->codeView()->id());
        writeDump();
        server_ = std::make_unique<SymbolServer>(store);
        ASSERT_TRUE(server_->running());
    }
    void place(const std::string& name, const fs::path& folder) const {
        fs::create_directories(folder);
        fs::rename(scratch_.file(name), folder / name);
    }
    void writeDump(const std::vector<std::string>& names = {"shapes"}) const {
        Snapshot snapshot;
        snapshot.process.emplace();
        snapshot.process->system.os = Os::windows;
        snapshot.process->system.arch = Arch::x86_64;
        std::uint64_t base = 0x7ff612340000;
        for (const std::string& name : names) {
            Module module;
            module.range = Range::ofSize(base, image_->imageSize());
            base += 0x1000000;
            module.path = "C:\\app\\" + name + ".dll";
            module.timestamp = image_->timestamp();
            module.imageSize = image_->imageSize();
            module.id.kind = ModuleId::Kind::pdb;
            const auto view = *image_->codeView();
            module.id.bytes.assign(view.guid.begin(), view.guid.end());
            module.id.age = view.age;
            module.debugFile = "D:\\build\\" + name + ".pdb";
            snapshot.process->modules.items.push_back(module);
        }
        snapshot.process->modules.coverage = Coverage::complete;
        auto sink = createFileSink(dump_, {.overwrite = true, .expected = 0});
        ASSERT_TRUE(sink.has_value());
        SilentProgress progress;
        ASSERT_TRUE(formatByName("minidump")
                        ->write(snapshot, planSave(*snapshot.process, {}), **sink, progress)
                        .has_value());
        ASSERT_TRUE((*sink)->finish().has_value());
    }
    [[nodiscard]] ShellOutput icecore(const std::string& arguments) const {
        return shell("cd '" + scratch_.file("") + "' && " + program() + " symbols " + arguments +
                     " 2>&1");
    }
    [[nodiscard]] std::string path() const {
        return "'srv*" + scratch_.file("cache") + "*" + server_->url("plain") + "'";
    }

    const Scratch scratch_;
    const std::string dump_ = scratch_.file("windows.dmp");
    std::shared_ptr<const PeImage> image_;
    std::unique_ptr<SymbolServer> server_;
};

TEST_F(SymbolsOfWindows, listFetchCheckLookUp) {
    const auto before = icecore("list --json " + dump_);
    auto json = nlohmann::json::parse(before.text, nullptr, false);
    ASSERT_TRUE(json.is_array() && json.size() == 1) << before.text;
    EXPECT_EQ(json[0]["symbols"], "none");
    EXPECT_EQ(json[0]["id"], image_->codeView()->id());
    EXPECT_TRUE(server_->requests().empty()) << "nobody is asked without being named";

    const auto fetched = icecore("fetch --json --symbols " + path() + " " + dump_);
    EXPECT_EQ(fetched.status, 0) << fetched.text;
    json = nlohmann::json::parse(fetched.text, nullptr, false);
    ASSERT_TRUE(json.is_array() && json.size() == 1) << fetched.text;
    EXPECT_TRUE(fs::exists(json[0].value("path", ""))) << fetched.text;
    EXPECT_TRUE(fs::exists(json[0].value("image", ""))) << fetched.text;
    const std::string pdb = json[0]["path"], dll = json[0]["image"];

    const auto after = icecore("list --symbols " + scratch_.file("cache") + " " + dump_);
    EXPECT_THAT(after.text, HasSubstr("pdb"));
    EXPECT_THAT(after.text, HasSubstr(pdb));
    EXPECT_EQ(icecore("check --symbols " + scratch_.file("cache") + " " + dump_).status, 0);
    EXPECT_EQ(icecore("check " + dump_ + " " + pdb + " " + dll).status, 0);

    const auto looked =
        icecore("lookup --json --symbols " + scratch_.file("cache") + " " + dll + " 0x1010");
    json = nlohmann::json::parse(looked.text, nullptr, false);
    ASSERT_TRUE(json.is_array() && json.size() == 1) << looked.text;
    const auto& frame = json[0]["frames"].back();
    EXPECT_EQ(frame["function"], "ice::Thing::run");
    EXPECT_EQ(frame["function_offset"], "0x10");
    EXPECT_THAT(frame["file"].get<std::string>(), testing::EndsWith("shapes.cpp"));
    // The same by the PDB alone, and by absolute addresses.
    EXPECT_EQ(nlohmann::json::parse(icecore("lookup --json " + pdb + " 0x1010").text, nullptr,
                                    false)[0]["frames"],
              json[0]["frames"]);
    EXPECT_THAT(icecore("lookup --absolute --symbols " + scratch_.file("cache") + " " + dll + " " +
                        hex(image_->imageBase() + 0x1010))
                    .text,
                HasSubstr("ice::Thing::run+0x10"));
}

/// One library under many names, each with a PDB that comes slowly.
TEST_F(SymbolsOfWindows, allModulesAreAskedForAtOnce) {
    const fs::path store = scratch_.file("store");
    std::vector<std::string> names;
    for (int i = 0; i < 6; ++i) {
        names.push_back("part" + std::to_string(i));
        for (const auto& [end, id] :
             {std::pair{".dll", image_->id()}, {".pdb", image_->codeView()->id()}}) {
            const fs::path folder = store / (names.back() + end) / id;
            fs::create_directories(folder);
            fs::copy_file(
                store / (std::string("shapes") + end) / id / ("shapes" + std::string(end)),
                folder / (names.back() + end));
        }
    }
    writeDump(names);
    const auto fetched = icecore("fetch --json --jobs 4 --symbols 'srv*" + scratch_.file("cache") +
                                 "*" + server_->url("slow") + "' " + dump_);
    EXPECT_EQ(fetched.status, 0) << fetched.text;
    const auto json = nlohmann::json::parse(fetched.text, nullptr, false);
    ASSERT_TRUE(json.is_array()) << fetched.text;
    EXPECT_EQ(json.size(), names.size());
    for (const auto& item : json)
        EXPECT_TRUE(fs::exists(item.value("path", ""))) << item.dump();
    EXPECT_GE(server_->mostAtOnce(), 3U);
    EXPECT_LE(server_->mostAtOnce(), 8U);  // an image and a PDB for each of the four
}

TEST_F(SymbolsOfWindows, anothersPdbIsRefusedWithTheReason) {
    ASSERT_EQ(buildForWindows(scratch_.file(""), windowsShapes,
                              {.compile = "-O1 -fno-rtti", .link = "/dll", .name = "shapes"}),
              "");
    const std::string other = scratch_.file("shapes.pdb");
    const auto list = icecore("list --verbose --symbols " + scratch_.file("") + " " + dump_);
    EXPECT_THAT(list.text, HasSubstr("mismatch"));
    EXPECT_THAT(list.text, HasSubstr(other + ": its GUID and age are"));
    EXPECT_THAT(list.text, HasSubstr("the dump says " + image_->codeView()->id()));
    EXPECT_EQ(icecore("check " + dump_ + " " + other).status, 1);

    // The debugger says the same, and takes it only when told to.
    const auto run = [&](const std::string& commands) {
        return shell(program() + " open --symbols " + scratch_.file("") + " -c '" + commands +
                     "' " + dump_ + " 2>&1")
            .text;
    };
    const std::string noisy = run("!sym noisy; .reload /f shapes; q");
    EXPECT_THAT(noisy, HasSubstr("its GUID and age are")) << noisy;
    const std::string forced = run("!sym noisy; .reload /i /f shapes; q");
    EXPECT_THAT(forced, HasSubstr("used all the same, as asked")) << forced;
    EXPECT_THAT(forced, HasSubstr("FORCED")) << forced;
}

/// Breakpad's kind of store, for a dump whose PDB nobody has.
TEST_F(SymbolsOfWindows, breakpadsFilesNameFunctionsToo) {
    const std::string id = image_->codeView()->id();
    const fs::path sym = fs::path(scratch_.file("breakpad")) / "shapes.pdb" / id / "shapes.sym";
    putFile(sym, "MODULE windows x86_64 " + id +
                     " shapes.pdb\nFILE 0 c:\\src\\shapes.cpp\nFUNC 1000 40 0 from::sym(int)\n"
                     "1000 40 42 0\n");
    const auto list =
        icecore("list --verbose --symbols " + scratch_.file("breakpad") + " " + dump_);
    EXPECT_THAT(list.text, HasSubstr("symtab")) << list.text;
    EXPECT_THAT(list.text, HasSubstr(sym.string() + ": GUID and age match"));
    EXPECT_THAT(icecore("lookup " + sym.string() + " 0x1004").text,
                HasSubstr("from::sym+0x4 at c:\\src\\shapes.cpp:42"));
    putFile(sym, "MODULE windows x86_64 000000000000000000000000000000001 shapes.pdb\n");
    EXPECT_THAT(icecore("list --verbose --symbols " + scratch_.file("breakpad") + " " + dump_).text,
                HasSubstr("its id is 000000000000000000000000000000001"));
}

TEST_F(SymbolsOfWindows, aServerWithoutTheFileIsALoss) {
    const auto lost = icecore("fetch --symbols 'srv*" + scratch_.file("cache") + "*" +
                              server_->url("down") + "' " + dump_);
    EXPECT_EQ(lost.status, 3) << lost.text;
    EXPECT_THAT(lost.text, HasSubstr("its PDB was not found"));
    EXPECT_EQ(icecore("fetch --symbols " + scratch_.file("cache") + " " + dump_).status, 2)
        << "no server is named";
}

/// The same image and PDB but for what tells builds apart: each refused by name and with the
/// reason, forced only when told to, and marked.
TEST_F(SymbolsOfWindows, anotherStampOrAgeIsAnotherBuild) {
    const fs::path store = scratch_.file("store");
    const std::string id = image_->codeView()->id();
    const fs::path other = scratch_.file("other");
    fs::create_directories(other);
    const std::string dll = (other / "shapes.dll").string(), pdb = (other / "shapes.pdb").string();
    // The right GUID, and the age of a PDB that was linked once more.
    const auto source = openMappedFile(store / "shapes.pdb" / id / "shapes.pdb");
    ASSERT_TRUE(source.has_value());
    const auto file = MsfFile::open(*source);
    ASSERT_TRUE(file.has_value()) << file.error().describe();
    auto streams = readAllStreams(**file);
    constexpr std::size_t infoStream = 1, dbiStream = 3, ageAt = 8;
    for (const std::size_t stream : {infoStream, dbiStream})
        storeInteger(streams[stream].data() + ageAt, std::uint32_t{7});
    const Bytes aged = writeMsf(streams, 4096, false);
    putFile(pdb, {reinterpret_cast<const char*>(aged.data()), aged.size()});
    const auto reopened = pdb::PdbFile::open(*openMappedFile(pdb));
    ASSERT_TRUE(reopened.has_value());
    EXPECT_EQ((*reopened)->identity().id(), id.substr(0, 32) + "7");

    const auto run = [&](const std::string& commands) {
        return shell(program() + " open --symbols " + other.string() + " -c '" + commands + "' " +
                     dump_ + " 2>&1")
            .text;
    };
    const std::string refused = run("!sym noisy; .reload /f shapes; lm m shapes; x shapes!start");
    EXPECT_THAT(refused, HasSubstr(pdb + ": its GUID and age are " + id.substr(0, 32) +
                                   "7, the dump says " + id));
    EXPECT_THAT(refused, Not(HasSubstr("FORCED")));
    EXPECT_THAT(refused, HasSubstr("no symbol matches"));
    const std::string forced = run("!sym noisy; .reload /i /f shapes; lm m shapes; x shapes!start");
    EXPECT_THAT(forced, HasSubstr(pdb + ": used all the same, as asked"));
    EXPECT_THAT(forced, HasSubstr("FORCED"));
    EXPECT_THAT(forced, HasSubstr("shapes!start"));
    fs::remove(pdb);

    // An image that was linked at another time.
    std::string bytes = readText(store / "shapes.dll" / image_->id() / "shapes.dll");
    constexpr std::size_t headersAt = 0x3c, stampAt = 8;
    std::uint32_t headers = 0;
    std::memcpy(&headers, bytes.data() + headersAt, sizeof headers);
    ASSERT_LT(headers + stampAt + 4, bytes.size());
    bytes[headers + stampAt] ^= 1;
    putFile(dll, bytes);
    const auto changed = PeImage::open(*openMappedFile(dll));
    ASSERT_TRUE(changed.has_value());
    const std::string stamped = run("!sym noisy; .reload /f shapes; lm m shapes");
    EXPECT_THAT(stamped, HasSubstr(dll + ": its time stamp and size are " + (*changed)->id() +
                                   ", the dump says " + image_->id()));
    EXPECT_THAT(stamped, Not(HasSubstr("FORCED")));
    const std::string stampForced = run("!sym noisy; .reload /i /f shapes; lm m shapes");
    EXPECT_THAT(stampForced, HasSubstr(dll + ": used all the same, as asked"));
    EXPECT_THAT(stampForced, HasSubstr("FORCED"));
}

/// What a terminal shows while files come: one line that is gone when they have come.
TEST_F(SymbolsOfWindows, aPersonSeesWhatIsFetched) {
    const std::string path = "srv*" + scratch_.file("cache") + "*" + server_->url("slower");
    const auto expectOneLine = [](const std::string& seen) {
        const std::string clear = "\r\x1b[K";
        const std::size_t first = seen.find(clear + "fetching shapes.");
        ASSERT_NE(first, std::string::npos) << seen;
        const std::size_t last = seen.rfind("fetching ");
        const std::size_t cleared = seen.find(clear, last);
        ASSERT_NE(cleared, std::string::npos) << seen;
        const std::string line = seen.substr(first, cleared - first);
        EXPECT_EQ(line.find('\n'), std::string::npos) << seen;
        EXPECT_THAT(line, testing::ContainsRegex("\\[#* *\\] +[0-9]+ % of [0-9.]+ [KM]iB, "));
        EXPECT_THAT(line, HasSubstr("/s"));
    };
    {
        Terminal terminal({program(), "symbols", "fetch", "--symbols", path, dump_});
        EXPECT_EQ(terminal.wait(), 0) << terminal.seen();
        expectOneLine(terminal.seen());
        const std::string& seen = terminal.seen();
        EXPECT_THAT(seen.substr(seen.rfind("\x1b[K")), testing::StartsWith("\x1b[KC:\\app\\"));
    }
    fs::remove_all(scratch_.file("cache"));
    {
        Terminal terminal({program(), "open", "--symbols", path, dump_},
                          {{"XDG_STATE_HOME", scratch_.file("")}});
        ASSERT_TRUE(terminal.shows("0:000> ") || terminal.shows("> ")) << terminal.seen();
        terminal.type(".reload /f shapes\r");
        EXPECT_TRUE(terminal.shows("(pdb symbols)")) << terminal.seen();
        expectOneLine(terminal.seen());
        terminal.type("q\r");
        EXPECT_EQ(terminal.wait(), 0);
    }
    // Nobody watches: nothing is drawn.
    fs::remove_all(scratch_.file("cache"));
    const auto quiet = icecore("fetch --symbols " + this->path() + " " + dump_);
    EXPECT_EQ(quiet.status, 0);
    EXPECT_THAT(quiet.text, Not(HasSubstr("fetching")));
}

}  // namespace
}  // namespace icecore::tests
