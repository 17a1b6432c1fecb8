#include "symbols/portablepdb/portable_pdb.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/text.h"
#include "support/scratch.h"
#include "symbols/pe_files.h"

namespace icecore {
namespace {

namespace fs = std::filesystem;

constexpr const char* source = R"cs(
using System;
using System.Collections.Generic;
using System.Threading.Tasks;
namespace Ice {
    public class Thing {
        int a = 3;
        public int Add(int x) {
            int y = a + x;
            for (int i = 0; i < x; i++)
                y += i;
            return y;
        }
        public IEnumerable<int> Count(int n) {
            for (int i = 0; i < n; i++)
                yield return i;
        }
        public async Task<int> Wait() {
            await Task.Delay(1);
            Func<int, int> f = v => v * a;
            return f(7);
        }
        public static void Here() {
            Console.WriteLine("here");
#line 4000 "other file.cs"
            Console.WriteLine("elsewhere");
        }
    }
}
)cs";

/// The runtime's own reader, asked for everything.
constexpr const char* oracle = R"cs(
using System;
using System.IO;
using System.Reflection.Metadata;
static class Dump {
    static void Main(string[] args) {
        using var stream = File.OpenRead(args[0]);
        var reader = MetadataReaderProvider.FromPortablePdbStream(stream).GetMetadataReader();
        int n = 0;
        foreach (var handle in reader.MethodDebugInformation) {
            n++;
            foreach (var p in reader.GetMethodDebugInformation(handle).GetSequencePoints()) {
                var name = reader.GetString(reader.GetDocument(p.Document).Name);
                Console.WriteLine(p.IsHidden ? $"{n} {p.Offset} hidden {name}"
                    : $"{n} {p.Offset} {p.StartLine}:{p.StartColumn}-{p.EndLine}:{p.EndColumn} {name}");
            }
        }
    }
}
)cs";

/// Finds the C# compiler and the runtime of the .NET SDK. $1: what to do with them.
constexpr const char* tools = R"sh(
dotnet=$(readlink -f "$(command -v dotnet)") || exit 9
root=$(dirname "$dotnet")
csc=$(ls "$root"/sdk/*/Roslyn/bincore/csc.dll 2>/dev/null | tail -1)
runtime=$(ls -d "$root"/shared/Microsoft.NETCore.App/* 2>/dev/null | tail -1)
[ -n "$csc" ] && [ -n "$runtime" ] || exit 9
refs=
for d in System.Private.CoreLib System.Runtime System.Collections System.Reflection.Metadata \
         System.Collections.Immutable System.Console System.Linq System.Memory; do
    refs="$refs -r:$runtime/$d.dll"
done
compile() { dotnet "$csc" -nologo -nostdlib $refs "$@"; }
)sh";

class PortablePdbs : public testing::Test {
protected:
    void SetUp() override {
        std::ofstream(folder_ / "tools.sh") << tools;
        std::ofstream(folder_ / "Shapes.cs") << source;
        std::ofstream(folder_ / "Dump.cs") << oracle;
        const auto built = run(
            "compile -target:library -debug:portable -pdb:Shapes.pdb -out:Shapes.dll Shapes.cs && "
            "compile -target:library -debug:embedded -out:Embedded.dll Shapes.cs");
        if (built.status == 9) GTEST_SKIP() << "the .NET SDK is not installed";
        ASSERT_EQ(built.status, 0) << built.text;
    }
    [[nodiscard]] tests::ShellOutput run(const std::string& commands) const {
        return tests::shell("cd '" + folder_.string() + "' && . ./tools.sh && { " + commands +
                            "; } 2>&1");
    }
    [[nodiscard]] std::shared_ptr<const PeImage> image(const std::string& name) const {
        return PeImage::open(*openMappedFile(folder_ / name)).value_or(nullptr);
    }
    static std::string listing(const PortablePdb& file) {
        std::string text;
        for (std::uint32_t method = 1; method <= file.methodCount(); ++method) {
            for (const SequencePoint& point : file.sequencePoints(method)) {
                text += std::to_string(method) + " " + std::to_string(point.ilOffset) + " ";
                text += point.hidden
                            ? "hidden"
                            : std::to_string(point.line) + ":" + std::to_string(point.column) +
                                  "-" + std::to_string(point.endLine) + ":" +
                                  std::to_string(point.endColumn);
                text += " " + file.document(point.document) + "\n";
            }
        }
        return text;
    }

    const tests::Scratch scratch_;
    const fs::path folder_ = scratch_.file("");
};

TEST_F(PortablePdbs, pointsAreThoseOfTheRuntimesReader) {
    const auto file = PortablePdb::open(*openMappedFile(folder_ / "Shapes.pdb"));
    ASSERT_TRUE(file.has_value()) << file.error().describe();
    const auto expected = run(
        "compile -target:exe -out:Dump.dll Dump.cs && echo "
        "'{\"runtimeOptions\":{\"framework\":{\"name\":\"Microsoft.NETCore.App\",\"version\":\"'"
        "$(basename \"$runtime\")'\"}}}' > Dump.runtimeconfig.json && dotnet Dump.dll Shapes.pdb");
    ASSERT_EQ(expected.status, 0) << expected.text;
    EXPECT_EQ(listing(**file), expected.text);
    EXPECT_GT((*file)->methodCount(), 10U);
    EXPECT_EQ((*file)->documentCount(), 2U);
    EXPECT_TRUE((*file)->matches(*image("Shapes.dll")));
    // In between, the point at or below counts.
    const auto points = (*file)->sequencePoints(1);
    ASSERT_GE(points.size(), 2U);
    EXPECT_EQ((*file)->pointAt(1, points[1].ilOffset + 1), points[1]);
    EXPECT_TRUE((*file)->sequencePoints(0).empty());
    EXPECT_TRUE((*file)->sequencePoints(100'000).empty());
}

TEST_F(PortablePdbs, embeddedOnes) {
    const auto pe = image("Embedded.dll");
    ASSERT_NE(pe, nullptr);
    const auto inside = PortablePdb::embedded(*pe);
    ASSERT_TRUE(inside.has_value()) << inside.error().describe();
    EXPECT_TRUE((*inside)->matches(*pe));
    const auto beside = PortablePdb::open(*openMappedFile(folder_ / "Shapes.pdb"));
    EXPECT_EQ(listing(**inside), listing(**beside));
    const auto none = PortablePdb::embedded(*image("Shapes.dll"));
    ASSERT_FALSE(none.has_value());
    EXPECT_EQ(none.error().code, Errc::not_found);
}

TEST_F(PortablePdbs, areFoundForTheirImage) {
    for (const char* name : {"Shapes.dll", "Embedded.dll"}) {
        const PeFiles files = findFilesOfPe(image(name), {});
        EXPECT_EQ(files.info.kind, SymbolKind::portable_pdb)
            << name << testing::PrintToString(files.info.tried);
        EXPECT_NE(files.info.portablePdb, nullptr) << name;
    }
    // Another compilation's file is refused; one in a store is found under its own kind of id.
    fs::rename(folder_ / "Shapes.pdb", folder_ / "kept.pdb");
    ASSERT_EQ(run("sed 's/ice/snow/' Shapes.cs > Other.cs && compile -target:library "
                  "-debug:portable -pdb:Shapes.pdb -out:Other.dll Other.cs")
                  .status,
              0);
    EXPECT_EQ(findFilesOfPe(image("Shapes.dll"), {}).info.kind, SymbolKind::mismatch);
    EXPECT_EQ(findFilesOfPe(image("Other.dll"), {}).info.kind, SymbolKind::portable_pdb);
    const fs::path place = folder_ / "store/Shapes.pdb" /
                           (image("Shapes.dll")->codeView()->id().substr(0, 32) + "FFFFFFFF");
    fs::create_directories(place);
    fs::rename(folder_ / "kept.pdb", place / "Shapes.pdb");
    SymbolOptions options;
    options.path = "srv*" + (folder_ / "store").string();
    const PeFiles files = findFilesOfPe(image("Shapes.dll"), options);
    EXPECT_EQ(files.info.kind, SymbolKind::portable_pdb);
    EXPECT_EQ(files.info.debugPath, (place / "Shapes.pdb").string());
}

TEST_F(PortablePdbs, damageCostsAnswersOnly) {
    const auto file = *openMappedFile(folder_ / "Shapes.pdb");
    const auto whole = file->mapped();
    const auto ask = [](std::vector<std::byte> bytes) {
        const auto cut = PortablePdb::open(memorySource(std::move(bytes), "cut.pdb"));
        if (cut) (void)listing(**cut);
        return cut.has_value();
    };
    EXPECT_TRUE(ask({whole.begin(), whole.end()}));
    for (std::size_t size = 0; size < whole.size(); size += 3)
        (void)ask({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const std::byte wrong : {std::byte{0}, std::byte{0xff}, std::byte{0x7f}}) {
            std::vector<std::byte> changed(whole.begin(), whole.end());
            changed[at] = wrong;
            (void)ask(std::move(changed));
        }
    }
}

}  // namespace
}  // namespace icecore
