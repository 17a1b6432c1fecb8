// Symbol stores and servers of Windows: every form in which a store keeps a file, a real HTTP
// server with every way to fail, and `icecore symbols` with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "formats/format.h"
#include "images/pe_image.h"
#include "support/symbol_server.h"
#include "support/windows_build.h"
#include "support/windows_shapes.h"
#include "symbols/cab.h"
#include "symbols/symbol_locator.h"
#include "symbols/symbolizer.h"

namespace icecore::tests {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

void write(const fs::path& path, std::string_view text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

bool have(const std::string& tool) {
    return shell("command -v " + tool + " >/dev/null && echo yes").text == "yes\n";
}

/// A store with one file that is nothing but bytes: what it holds is not these tests' matter.
class SymbolStores : public testing::Test {
protected:
    void SetUp() override {
        for (int i = 0; i < 5000; ++i)
            content_ += "line " + std::to_string(i) + "\n";
        write(store_ / "app.pdb" / id_ / "app.pdb", content_);
    }
    /// What is found along a path, and what was said on the way.
    [[nodiscard]] std::optional<fs::path> find(const std::string& path,
                                               const LocatorOptions& options = {}) {
        said_.clear();
        std::optional<fs::path> found;
        const SymbolLocator locator(path, options);
        locator.search(
            request_,
            [&](const fs::path& file) {
                found = file;
                return readText(file) == content_;
            },
            [&](std::string sentence) { said_.push_back(std::move(sentence)); });
        if (found && readText(*found) != content_) return std::nullopt;
        return found;
    }
    [[nodiscard]] std::string file(const std::string& name) const { return scratch_.file(name); }

    const Scratch scratch_;
    const std::string id_ = "0123456789ABCDEF0123456789ABCDEF1";
    const SymbolRequest request_{"app.pdb", id_, "app.dll"};
    const fs::path store_ = scratch_.file("store");
    std::string content_;
    std::vector<std::string> said_;
};

TEST_F(SymbolStores, foldersAndTheirSubfolders) {
    for (const char* place : {"app.pdb", "dll/app.pdb", "symbols/dll/app.pdb", "symbols/app.pdb",
                              "APP.PDB", "Symbols/DLL/App.pdb"}) {
        const fs::path folder = file("flat");
        write(folder / place, content_);
        EXPECT_EQ(find(file("nowhere") + ";" + folder.string()), folder / place) << place;
        fs::remove_all(folder);
    }
    EXPECT_EQ(find(store_.string()), store_ / "app.pdb" / id_ / "app.pdb") << "laid out as a store";
    EXPECT_FALSE(find(file("nowhere")).has_value());
}

TEST_F(SymbolStores, storesToTheLeftGetACopy) {
    const std::string path = "srv*" + file("near") + "*" + file("middle") + "*" + store_.string();
    ASSERT_TRUE(find(path).has_value());
    for (const char* name : {"near", "middle"})
        EXPECT_EQ(readText(file(name) + "/app.pdb/" + id_ + "/app.pdb"), content_) << name;
    fs::remove_all(store_);
    EXPECT_EQ(find(path), fs::path(file("near")) / "app.pdb" / id_ / "app.pdb");
    ASSERT_TRUE(find("cache*" + file("cache") + ";" + file("middle")).has_value());
    EXPECT_EQ(readText(file("cache") + "/app.pdb/" + id_ + "/app.pdb"), content_);
}

TEST_F(SymbolStores, twoTiers) {
    const fs::path tiers = file("tiers");
    write(tiers / "index2.txt", "");
    ASSERT_TRUE(find("srv*" + tiers.string() + "*" + store_.string()).has_value());
    EXPECT_EQ(readText(tiers / "ap/app.pdb" / id_ / "app.pdb"), content_);
    EXPECT_EQ(find("srv*" + tiers.string()), tiers / "ap/app.pdb" / id_ / "app.pdb");
}

TEST_F(SymbolStores, filePointers) {
    const fs::path folder = store_ / "app.pdb" / id_;
    fs::rename(folder / "app.pdb", file("elsewhere.pdb"));
    for (const std::string& text :
         {"PATH:" + file("elsewhere.pdb"), file("elsewhere.pdb"), file("elsewhere.pdb") + "\r\n"}) {
        write(folder / "file.ptr", text);
        EXPECT_EQ(find("srv*" + store_.string()), fs::path(file("elsewhere.pdb"))) << text;
    }
    write(folder / "file.ptr", "MSG: not kept here");
    EXPECT_FALSE(find("srv*" + store_.string()).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("the store says: not kept here")));
    write(folder / "file.ptr", "PATH:/no/such/file.pdb");
    EXPECT_FALSE(find("srv*" + store_.string()).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("points to /no/such/file.pdb")));
}

TEST_F(SymbolStores, cabinets) {
    if (!have("gcab")) GTEST_SKIP() << "gcab is not installed";
    const fs::path folder = store_ / "app.pdb" / id_;
    ASSERT_EQ(shell("cd '" + folder.string() + "' && gcab -c -z app.pd_ app.pdb 2>&1").status, 0);
    fs::remove(folder / "app.pdb");
    EXPECT_EQ(find("srv*" + file("cache") + "*" + store_.string()),
              fs::path(file("cache")) / "app.pdb" / id_ / "app.pdb");
    EXPECT_FALSE(fs::exists(folder / "app.pdb")) << "the far store is left alone";

    // Damaged ones are said, cut at any place, and leave nothing behind.
    const std::string whole = readText(folder / "app.pd_");
    for (std::size_t size = 0; size < whole.size(); size += whole.size() / 40 + 1) {
        write(folder / "app.pd_", whole.substr(0, size));
        EXPECT_FALSE(find("srv*" + file("other") + "*" + store_.string()).has_value()) << size;
        EXPECT_FALSE(fs::exists(file("other") + "/app.pdb/" + id_ + "/app.pdb")) << size;
    }
    EXPECT_THAT(said_, Contains(HasSubstr("is no whole cabinet")));
    const auto bytes = std::as_bytes(std::span(whole));
    EXPECT_EQ(unpackCabinet(bytes, 100).error().code, Errc::limit);
    ASSERT_TRUE(unpackCabinet(bytes, 1 << 20).has_value());
}

TEST_F(SymbolStores, cabinetsOfImages) {
    if (!have("gcab")) GTEST_SKIP() << "gcab is not installed";
    const fs::path folder = store_ / "app.dll" / "5F3A1B2C21000";
    write(folder / "app.dll", content_);
    ASSERT_EQ(shell("cd '" + folder.string() + "' && gcab -c -z app.dl_ app.dll 2>&1").status, 0);
    fs::remove(folder / "app.dll");
    std::string text;
    const SymbolLocator locator("srv*" + file("cache") + "*" + store_.string(), {});
    locator.search(
        {"app.dll", "5F3A1B2C21000", "app.dll"},
        [&](const fs::path& found) {
            text = readText(found);
            return true;
        },
        [](const std::string&) {});
    EXPECT_EQ(text, content_);
    EXPECT_EQ(readText(file("cache") + "/app.dll/5F3A1B2C21000/app.dll"), content_);
}

TEST_F(SymbolStores, namesThatLeadOutOfAStoreAreRefused) {
    for (const char* name : {"..", "../app.pdb", "a/b.pdb", "a\\b.pdb", "c:b.pdb"}) {
        std::vector<std::string> said;
        const SymbolLocator locator("srv*" + file("cache") + "*" + store_.string());
        EXPECT_FALSE(locator.search(
            {name, id_, "app.dll"}, [](const fs::path&) { return true; },
            [&](std::string text) { said.push_back(std::move(text)); }));
        EXPECT_EQ(said.size(), 1U) << name;
    }
    EXPECT_FALSE(fs::exists(file("cache")));
}

TEST_F(SymbolStores, aCacheThatCannotBeWrittenIsNamed) {
    write(file("occupied"), "a file where a directory should be");
    const std::string path = "srv*" + file("occupied") + "/cache*" + store_.string();
    EXPECT_TRUE(find(path).has_value()) << "the file itself is there all the same";
    EXPECT_THAT(said_, Contains(HasSubstr("the symbol cache cannot be created")));
    EXPECT_THAT(said_, Contains(HasSubstr(file("occupied"))));
}

TEST_F(SymbolStores, missingCacheFoldersAreMade) {
    EXPECT_TRUE(find("srv*" + file("a/b/c") + "*" + store_.string()).has_value());
    EXPECT_TRUE(fs::exists(file("a/b/c") + "/app.pdb/" + id_ + "/app.pdb"));
}

/// The same, over HTTP.
class SymbolServers : public SymbolStores {
protected:
    void SetUp() override {
        if (!have("python3")) GTEST_SKIP() << "python3 is not installed";
        SymbolStores::SetUp();
        server_ = std::make_unique<SymbolServer>(store_);
        ASSERT_TRUE(server_->running());
        options_.stallTimeout = std::chrono::seconds(1);
    }
    [[nodiscard]] std::string path(const std::string& kind) const {
        return "srv*" + file("cache-" + kind) + "*" + server_->url(kind);
    }
    void expectFetched(const std::string& kind) {
        const auto found = find(path(kind), options_);
        ASSERT_TRUE(found.has_value()) << kind << ": " << testing::PrintToString(said_);
        EXPECT_EQ(*found, fs::path(file("cache-" + kind)) / "app.pdb" / id_ / "app.pdb");
        EXPECT_THAT(leftovers(kind), testing::IsEmpty());
        // A second time out of the cache, without asking.
        const std::size_t asked = server_->requests().size();
        EXPECT_EQ(find(path(kind), options_), found);
        EXPECT_EQ(server_->requests().size(), asked);
    }
    /// Files of the cache that are neither the file nor the memory of a 404.
    [[nodiscard]] std::vector<std::string> leftovers(const std::string& kind) const {
        std::vector<std::string> names;
        std::error_code error;
        for (const auto& entry : fs::recursive_directory_iterator(file("cache-" + kind), error)) {
            const std::string name = entry.path().filename().string();
            if (entry.is_regular_file() && name != "app.pdb" && name != "icecore.404")
                names.push_back(name);
        }
        return names;
    }

    std::unique_ptr<SymbolServer> server_;
    LocatorOptions options_;
};

TEST_F(SymbolServers, plain) {
    expectFetched("plain");
    EXPECT_EQ(server_->requests("/plain/app.pdb/" + id_ + "/app.pdb").size(), 1U);
}
TEST_F(SymbolServers, slow) {
    expectFetched("slow");
}
TEST_F(SymbolServers, twoTier) {
    expectFetched("twotier");
}
TEST_F(SymbolServers, filePointer) {
    expectFetched("pointer");
}
TEST_F(SymbolServers, compressed) {
    if (!have("gcab")) GTEST_SKIP() << "gcab is not installed";
    const fs::path folder = store_ / "app.pdb" / id_;
    ASSERT_EQ(shell("cd '" + folder.string() + "' && gcab -c -z app.pd_ app.pdb 2>&1").status, 0);
    expectFetched("packed");
}
TEST_F(SymbolServers, aBrokenTransferGoesOnWhereItStood) {
    expectFetched("breaks");
    const auto asked = server_->requests("/breaks/app.pdb/");
    ASSERT_EQ(asked.size(), 2U);
    EXPECT_THAT(asked[0], testing::EndsWith(" -"));
    EXPECT_THAT(asked[1], testing::EndsWith("bytes=" + std::to_string(content_.size() / 2) + "-"));
}
TEST_F(SymbolServers, aServerWithoutRangesBeginsAnew) {
    expectFetched("noranges");
}
TEST_F(SymbolServers, aBusyServerIsAskedAgain) {
    expectFetched("busy");
    EXPECT_EQ(server_->requests("/busy/app.pdb/").size(), 3U);
}

/// A server with a certificate of its own: refused until it is vouched for.
TEST_F(SymbolServers, overTls) {
    if (!have("openssl")) GTEST_SKIP() << "openssl is not installed";
    const std::string certificate = file("server.pem");
    ASSERT_EQ(shell("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
                    "-addext subjectAltName=IP:127.0.0.1 -keyout " +
                    certificate + " -out " + certificate + ".crt 2>/dev/null && cat " +
                    certificate + ".crt >> " + certificate)
                  .status,
              0);
    server_ = std::make_unique<SymbolServer>(store_, certificate);
    ASSERT_TRUE(server_->running());
    EXPECT_FALSE(find(path("plain"), options_).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("certificate")));
    EXPECT_EQ(server_->requests().size(), 0U);
    ASSERT_EQ(::setenv("CURL_CA_BUNDLE", (certificate + ".crt").c_str(), 1), 0);
    expectFetched("plain");
    ASSERT_EQ(::unsetenv("CURL_CA_BUNDLE"), 0);
}

TEST_F(SymbolServers, failuresAreToldAndLeaveNothingBehind) {
    EXPECT_FALSE(find(path("down"), options_).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("the server answered 500, 3 times over")));
    EXPECT_THAT(leftovers("down"), testing::IsEmpty());
    LocatorOptions once = options_;
    once.attempts = 1;
    EXPECT_FALSE(find(path("stalls"), once).has_value());
    EXPECT_THAT(leftovers("stalls"), testing::IsEmpty());
    const std::string gone = path("plain");
    server_->stop();
    EXPECT_FALSE(find(gone, once).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("127.0.0.1")));
    EXPECT_FALSE(fs::exists(file("cache-plain") + "/app.pdb/" + id_ + "/icecore.404"))
        << "unreachable is not the same as not there";
}

TEST_F(SymbolServers, whatIsNotThereIsRemembered) {
    fs::remove_all(store_ / "app.pdb");
    EXPECT_FALSE(find(path("plain"), options_).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("is not on the server")));
    const std::size_t asked = server_->requests().size();
    EXPECT_FALSE(find(path("plain"), options_).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("a while ago")));
    EXPECT_EQ(server_->requests().size(), asked);
    // Another server is asked all the same, and this one when the time is over.
    write(store_ / "app.pdb" / id_ / "app.pdb", content_);
    options_.rememberMiss = std::chrono::seconds(0);
    EXPECT_TRUE(find(path("plain"), options_).has_value());
}

TEST_F(SymbolServers, aCacheThatCannotBeWrittenSaysSo) {
    write(file("occupied"), "a file where a directory should be");
    const std::string cache = file("occupied") + "/cache";
    EXPECT_FALSE(find("srv*" + cache + "*" + server_->url("plain"), options_).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("the symbol cache cannot be created")));
    EXPECT_THAT(said_, Contains(HasSubstr(cache)));
}

TEST_F(SymbolServers, manyAtOnceShareOneStore) {
    std::atomic<int> whole{0};
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            const SymbolLocator locator(path("slow"), options_);
            locator.search(
                request_,
                [&](const fs::path& found) {
                    whole += readText(found) == content_;
                    return true;
                },
                [](const std::string&) {});
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(whole, 8) << "nobody ever sees a part of a file";
    EXPECT_THAT(leftovers("slow"), testing::IsEmpty());
}

TEST_F(SymbolServers, theUserNeedNotWait) {
    SilentProgress progress;
    options_.progress = &progress;
    options_.stallTimeout = std::chrono::seconds(60);
    std::atomic<bool> finished{false};
    std::thread fetcher([&] {
        const SymbolLocator locator(path("stalls"), options_);
        locator.search(request_, [](const fs::path&) { return true; }, [](const std::string&) {});
        finished = true;
    });
    EXPECT_TRUE(eventually([&] { return !server_->requests("/stalls/app.pdb/").empty(); }));
    progress.cancel();
    EXPECT_TRUE(eventually([&] { return finished.load(); }));
    fetcher.join();
    EXPECT_THAT(leftovers("stalls"), testing::IsEmpty());
}

/// A dump of Windows with one module, its image and PDB on a server.
class SymbolsOfWindows : public testing::Test {
protected:
    void SetUp() override {
        if (!canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
        if (!have("python3")) GTEST_SKIP() << "python3 is not installed";
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
    write(sym, "MODULE windows x86_64 " + id +
                   " shapes.pdb\nFILE 0 c:\\src\\shapes.cpp\nFUNC 1000 40 0 from::sym(int)\n"
                   "1000 40 42 0\n");
    const auto list =
        icecore("list --verbose --symbols " + scratch_.file("breakpad") + " " + dump_);
    EXPECT_THAT(list.text, HasSubstr("symtab")) << list.text;
    EXPECT_THAT(list.text, HasSubstr(sym.string() + ": GUID and age match"));
    EXPECT_THAT(icecore("lookup " + sym.string() + " 0x1004").text,
                HasSubstr("from::sym+0x4 at c:\\src\\shapes.cpp:42"));
    write(sym, "MODULE windows x86_64 000000000000000000000000000000001 shapes.pdb\n");
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

}  // namespace
}  // namespace icecore::tests
