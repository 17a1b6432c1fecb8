#include "symbols/pe_files.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "symbols/search_path.h"

namespace icecore {

namespace {

namespace fs = std::filesystem;
using Image = std::shared_ptr<const PeImage>;

class PeSearch {
public:
    PeSearch(const Process& process, const Module& module, const SymbolOptions& options)
        : process_(process), module_(module), options_(options) {}

    PeFiles run() {
        files_.base = module_.range.begin();
        findImage();
        ModuleSymbols& info = files_.info;
        if (!info.peImage) readMemory();
        if (info.peImage && !info.peImage->exports().empty())
            info.kind = SymbolKind::exported;
        else if (mismatch_)
            info.kind = SymbolKind::mismatch;
        return std::move(files_);
    }

private:
    void say(std::string sentence) { files_.info.tried.push_back(std::move(sentence)); }

    /// Where Windows' path of the module may be on this system.
    [[nodiscard]] std::vector<fs::path> candidates() const {
        std::vector<fs::path> paths;
        std::string own = module_.path;
        if (options_.useDefaultPaths && !own.empty()) {
            paths.emplace_back(own);
            std::ranges::replace(own, '\\', '/');
            if (own.size() > 2 && own[1] == ':') own.erase(0, 2);
            if (!options_.root.empty())
                paths.push_back(fs::path(options_.root) / fs::path(own).relative_path());
        }
        const std::string name(module_.fileName());
        if (name.empty()) return paths;
        for (const std::string& folder : symbolPathFolders(options_.path)) {
            paths.push_back(fs::path(folder) / name / wantedId() / name);
            paths.push_back(fs::path(folder) / name);
        }
        return paths;
    }

    [[nodiscard]] std::string wantedId() const {
        return PeImage::idOf(module_.timestamp, module_.imageSize);
    }

    void findImage() {
        Image refused;
        for (const fs::path& path : candidates()) {
            auto source = openMappedFile(path);
            if (!source) {
                if (source.error().code != Errc::not_found) say(source.error().describe());
                continue;
            }
            auto image = PeImage::open(std::move(*source));
            if (!image) {
                say(image.error().describe());
                continue;
            }
            if ((*image)->id() == wantedId()) {
                say(path.string() + ": time stamp and size match");
                take(std::move(*image), path);
                return;
            }
            say(path.string() + ": its time stamp and size are " + (*image)->id() +
                ", the dump says " + wantedId());
            mismatch_ = true;
            if (!refused) refused = std::move(*image);
        }
        if (!refused || !options_.allowMismatch) return;
        say(refused->name() + ": used all the same, as asked");
        files_.info.forced = true;
        const fs::path path = refused->name();
        take(std::move(refused), path);
    }

    void take(Image image, const fs::path& path) {
        files_.info.imagePath = path.string();
        files_.info.peImage = std::move(image);
    }

    void readMemory() {
        auto image = PeImage::fromMemory(*process_.memory, module_.range.begin(),
                                         module_.range.size(), module_.path);
        if (!image) return;
        say(printable(module_.path) + ": its headers and exported names are read from the dump");
        files_.info.peImage = std::move(*image);
    }

    const Process& process_;
    const Module& module_;
    const SymbolOptions& options_;
    PeFiles files_;
    bool mismatch_ = false;
};

}  // namespace

PeFiles findPeFiles(const Process& process, const Module& module, const SymbolOptions& options) {
    return PeSearch(process, module, options).run();
}

}  // namespace icecore
