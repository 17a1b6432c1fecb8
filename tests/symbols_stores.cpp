// Symbol stores and servers of Windows: every form in which a store keeps a file, a real HTTP
// server with every way to fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <numeric>
#include <thread>

#include "support/symbol_server.h"
#include "symbols/cab.h"
#include "symbols/symbol_locator.h"

namespace icecore::tests {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

bool have(const std::string& tool) {
    return shell("command -v " + tool + " >/dev/null && echo yes").text == "yes\n";
}

/// A store with one file that is nothing but bytes: what it holds is not these tests' matter.
class SymbolStores : public testing::Test {
protected:
    void SetUp() override {
        for (int i = 0; i < 5000; ++i)
            content_ += "line " + std::to_string(i) + "\n";
        putFile(store_ / "app.pdb" / id_ / "app.pdb", content_);
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
        putFile(folder / place, content_);
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
    putFile(tiers / "index2.txt", "");
    ASSERT_TRUE(find("srv*" + tiers.string() + "*" + store_.string()).has_value());
    EXPECT_EQ(readText(tiers / "ap/app.pdb" / id_ / "app.pdb"), content_);
    EXPECT_EQ(find("srv*" + tiers.string()), tiers / "ap/app.pdb" / id_ / "app.pdb");
}

TEST_F(SymbolStores, filePointers) {
    const fs::path folder = store_ / "app.pdb" / id_;
    fs::rename(folder / "app.pdb", file("elsewhere.pdb"));
    for (const std::string& text :
         {"PATH:" + file("elsewhere.pdb"), file("elsewhere.pdb"), file("elsewhere.pdb") + "\r\n"}) {
        putFile(folder / "file.ptr", text);
        EXPECT_EQ(find("srv*" + store_.string()), fs::path(file("elsewhere.pdb"))) << text;
    }
    putFile(folder / "file.ptr", "MSG: not kept here");
    EXPECT_FALSE(find("srv*" + store_.string()).has_value());
    EXPECT_THAT(said_, Contains(HasSubstr("the store says: not kept here")));
    putFile(folder / "file.ptr", "PATH:/no/such/file.pdb");
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
        putFile(folder / "app.pd_", whole.substr(0, size));
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
    putFile(folder / "app.dll", content_);
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
    putFile(file("occupied"), "a file where a directory should be");
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
    putFile(store_ / "app.pdb" / id_ / "app.pdb", content_);
    options_.rememberMiss = std::chrono::seconds(0);
    EXPECT_TRUE(find(path("plain"), options_).has_value());
}

TEST_F(SymbolServers, aCacheThatCannotBeWrittenSaysSo) {
    putFile(file("occupied"), "a file where a directory should be");
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

/// What a person would be shown.
class TransferLog final : public Progress {
public:
    void begin(std::string_view phase, std::uint64_t total) override {
        begun.emplace_back(phase, total);
        ++underWay;
    }
    void advance(std::uint64_t amount) override { steps.push_back(amount); }
    void end() override { --underWay; }
    [[nodiscard]] bool cancelled() const override { return false; }
    [[nodiscard]] std::uint64_t done() const {
        return std::accumulate(steps.begin(), steps.end(), std::uint64_t{0});
    }

    std::vector<std::pair<std::string, std::uint64_t>> begun;
    std::vector<std::uint64_t> steps;
    int underWay = 0;
};

TEST_F(SymbolServers, bytesDoneAndTotalAreTold) {
    // Also of a transfer that takes two attempts, gone on with or begun anew.
    for (const char* kind : {"slow", "breaks", "noranges"}) {
        SCOPED_TRACE(kind);
        TransferLog log;
        options_.progress = &log;
        ASSERT_TRUE(find(path(kind), options_).has_value());
        EXPECT_THAT(log.begun, testing::ElementsAre(testing::Pair("app.pdb", content_.size())));
        EXPECT_GE(log.steps.size(), 2U);
        EXPECT_EQ(log.done(), content_.size());
        EXPECT_EQ(log.underWay, 0);
    }
    // One that fails ends as well; what is not there never begins.
    options_.attempts = 1;
    TransferLog stalled;
    options_.progress = &stalled;
    EXPECT_FALSE(find(path("stalls"), options_).has_value());
    EXPECT_EQ(stalled.done(), content_.size() / 2);
    EXPECT_EQ(stalled.underWay, 0);
    fs::remove_all(store_ / "app.pdb");
    TransferLog none;
    options_.progress = &none;
    EXPECT_FALSE(find(path("plain"), options_).has_value());
    EXPECT_THAT(none.begun, testing::IsEmpty());
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

}  // namespace
}  // namespace icecore::tests
