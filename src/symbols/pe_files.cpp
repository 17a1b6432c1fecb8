#include "symbols/pe_files.h"

#include <algorithm>

#include "base/text.h"
#include "images/pe_layout.h"
#include "symbols/portablepdb/portable_pdb.h"

namespace icecore {

namespace {

namespace fs = std::filesystem;
using Image = std::shared_ptr<const PeImage>;
using Pdb = std::shared_ptr<const pdb::PdbFile>;

/// "C:\src\app.pdb" and "/src/app.pdb" are both "app.pdb".
std::string lastPart(std::string_view path) {
    return std::string(path.substr(path.find_last_of("/\\") + 1));
}

/// Windows' path as one of this system: "C:\a\b" is "/a/b" below a root.
fs::path withoutDrive(std::string path) {
    std::ranges::replace(path, '\\', '/');
    if (path.size() > 2 && path[1] == ':') path.erase(0, 2);
    return fs::path(path).relative_path();
}

class PeSearch {
public:
    explicit PeSearch(const SymbolOptions& options)
        : options_(options), locator_(options.path, options.locator) {}

    PeFiles run(const Process& process, const Module& module) {
        files_.base = module.range.begin();
        path_ = module.path;
        imageId_ = imageRequest(module);
        pdbId_ = pdbRequest(module);
        recordedPdb_ = module.debugFile;
        findImage();
        if (!files_.info.peImage) readMemory(process, module);
        if (pdbId_.id.empty()) askImageForPdb();
        findPdb();
        return finish();
    }

    PeFiles runAlone(Image image) {
        path_ = image->name();
        imageId_ = {lastPart(image->name()), image->id(), lastPart(image->name())};
        files_.info.imagePath = image->name();
        files_.info.peImage = std::move(image);
        askImageForPdb();
        findPdb();
        return finish();
    }

private:
    void say(std::string sentence) { files_.info.tried.push_back(std::move(sentence)); }
    [[nodiscard]] SymbolLocator::Say sayer() {
        return [this](std::string sentence) { say(std::move(sentence)); };
    }

    // A path of the dump as it is, and below the root that stands for its system.
    [[nodiscard]] std::vector<fs::path> ownPlaces(const std::string& path) const {
        std::vector<fs::path> places;
        if (!options_.useDefaultPaths || path.empty()) return places;
        places.emplace_back(path);
        if (options_.root.empty()) return places;
        const fs::path root(options_.root);
        for (const fs::path& base : {root, root / "drive_c"}) {
            fs::path found = existingPath(base, withoutDrive(path));
            if (!found.empty()) places.push_back(std::move(found));
        }
        return places;
    }

    std::shared_ptr<const Source> openFile(const fs::path& path) {
        auto source = openMappedFile(path);
        if (source) return std::move(*source);
        if (source.error().code != Errc::not_found) say(source.error().describe());
        return nullptr;
    }

    bool acceptImage(const fs::path& path) {
        auto source = openFile(path);
        if (!source) return false;
        auto image = PeImage::open(std::move(source));
        if (!image) {
            say(image.error().describe());
            return false;
        }
        if ((*image)->id() != imageId_.id) {
            say(path.string() + ": its time stamp and size are " + (*image)->id() +
                ", the dump says " + imageId_.id);
            imageMismatch_ = true;
            if (!refusedImage_) refusedImage_ = std::move(*image);
            return false;
        }
        say(path.string() + ": time stamp and size match");
        files_.info.imagePath = path.string();
        files_.info.peImage = std::move(*image);
        return true;
    }

    void findImage() {
        for (const fs::path& place : ownPlaces(path_)) {
            if (acceptImage(place)) return;
        }
        // Without a time stamp there is nothing to ask a store for.
        const auto accept = [this](const fs::path& path) { return acceptImage(path); };
        if (locator_.search(imageId_, accept, sayer())) return;
        if (!refusedImage_ || !options_.allowMismatch) return;
        say(refusedImage_->name() + ": used all the same, as asked");
        files_.info.forced = true;
        files_.info.imagePath = refusedImage_->name();
        files_.info.peImage = refusedImage_;
    }

    void readMemory(const Process& process, const Module& module) {
        auto image = PeImage::fromMemory(*process.memory, module.range.begin(), module.range.size(),
                                         module.path);
        if (!image) return;
        say(printable(module.path) + ": its headers and exported names are read from the dump");
        files_.info.peImage = std::move(*image);
    }

    void askImageForPdb() {
        const auto view = files_.info.peImage ? files_.info.peImage->codeView() : std::nullopt;
        if (!view) return;
        if (view->nb10) {
            say("its symbols are in a PDB of before Visual Studio 2003, which is not read");
            return;
        }
        recordedPdb_ = view->path;
        pdbId_ = {lastPart(view->path), view->id(), lastPart(path_)};
    }

    /// The lines of .NET methods. The image says whether they are its own.
    bool acceptPortable(std::shared_ptr<const PortablePdb> portable) {
        const Image& image = files_.info.peImage;
        if (!image || !portable->matches(*image)) {
            say(portable->name() + ": its GUID and stamp are not those of the image");
            pdbMismatch_ = true;
            return false;
        }
        say(portable->name() + ": GUID and stamp match");
        files_.info.debugPath = portable->name();
        files_.info.portablePdb = std::move(portable);
        return true;
    }

    bool acceptPdb(const fs::path& path) {
        auto source = openFile(path);
        if (!source) return false;
        if (PortablePdb::looksLike(*source)) {
            auto portable = PortablePdb::open(std::move(source));
            if (portable) return acceptPortable(std::move(*portable));
            say(portable.error().describe());
            return false;
        }
        auto opened = pdb::PdbFile::open(std::move(source));
        if (!opened) {
            say(opened.error().describe());
            return false;
        }
        if (!(*opened)->identity().matches(pdbId_.id)) {
            say(path.string() + ": its GUID and age are " + (*opened)->identity().id() +
                ", the dump says " + pdbId_.id);
            pdbMismatch_ = true;
            if (!refusedPdb_) refusedPdb_ = std::move(*opened);
            return false;
        }
        say(path.string() + ": GUID and age match");
        takePdb(std::move(*opened));
        return true;
    }

    void takePdb(Pdb pdb) {
        if (const std::string limits = pdb->limits(); !limits.empty())
            say(pdb->name() + " " + limits);
        files_.info.debugPath = pdb->name();
        files_.pdb = std::move(pdb);
    }

    void findPdb() {
        if (pdbId_.id.empty()) {
            if (files_.info.peImage) say("it records no PDB");
            return;
        }
        const Image& image = files_.info.peImage;
        const bool managed = image && !image->directory(pe::directoryManaged).empty();
        if (managed) {
            auto inside = PortablePdb::embedded(*image);
            if (inside && acceptPortable(std::move(*inside))) return;
            if (!inside && inside.error().code != Errc::not_found) say(inside.error().describe());
        }
        std::vector<fs::path> places;
        if (options_.useDefaultPaths && !files_.info.imagePath.empty())
            places.push_back(fs::path(files_.info.imagePath).parent_path() / pdbId_.file);
        for (const fs::path& place : ownPlaces(recordedPdb_))
            places.push_back(place);
        for (const fs::path& place : places) {
            if (acceptPdb(place)) return;
        }
        const auto accept = [this](const fs::path& path) { return acceptPdb(path); };
        if (locator_.search(pdbId_, accept, sayer())) return;
        if (managed && pdbId_.id.size() > 32) {
            // Stores keep portable PDBs under the GUID and this in place of the age.
            SymbolRequest portable = pdbId_;
            portable.id = pdbId_.id.substr(0, 32) + "FFFFFFFF";
            if (locator_.search(portable, accept, sayer())) return;
        }
        if (findSym()) return;
        if (!refusedPdb_ || !options_.allowMismatch) return;
        say(refusedPdb_->name() + ": used all the same, as asked");
        files_.info.forced = true;
        takePdb(refusedPdb_);
    }

    /// Breakpad's text form of the same, in its own kind of store.
    bool findSym() {
        SymbolRequest request = pdbId_;
        request.folder = pdbId_.file;
        request.file = fs::path(pdbId_.file).stem().string() + ".sym";
        // A server is not asked for it as well: Windows' symbol servers have none.
        std::string folders;
        for (const std::string& folder : symbolPathFolders(options_.path))
            folders += folder + ";";
        const auto accept = [&](const fs::path& path) {
            auto source = openFile(path);
            if (!source) return false;
            auto opened = SymFile::open(std::move(source));
            if (!opened) {
                say(opened.error().describe());
                return false;
            }
            if (!equalsIgnoreCase((*opened)->id(), request.id)) {
                say(path.string() + ": its id is " + printable((*opened)->id()) +
                    ", the dump says " + request.id);
                pdbMismatch_ = true;
                return false;
            }
            say(path.string() + ": GUID and age match");
            files_.info.debugPath = path.string();
            files_.sym = std::move(*opened);
            return true;
        };
        return SymbolLocator(folders, {}).search(request, accept, sayer());
    }

    PeFiles finish() {
        ModuleSymbols& info = files_.info;
        info.pdb = files_.pdb;
        if (files_.pdb)
            info.kind = SymbolKind::pdb;
        else if (info.portablePdb)
            info.kind = SymbolKind::portable_pdb;
        else if (files_.sym)
            info.kind = SymbolKind::symtab;
        else if (pdbMismatch_ || (imageMismatch_ && !info.peImage))
            info.kind = SymbolKind::mismatch;
        else if (info.peImage && !info.peImage->exports().empty())
            info.kind = SymbolKind::exported;
        return std::move(files_);
    }

    const SymbolOptions& options_;
    SymbolLocator locator_;
    PeFiles files_;
    std::string path_, recordedPdb_;
    SymbolRequest imageId_, pdbId_;
    Image refusedImage_;
    Pdb refusedPdb_;
    bool imageMismatch_ = false, pdbMismatch_ = false;
};

}  // namespace

SymbolRequest imageRequest(const Module& module) {
    const std::string name(module.fileName());
    if (module.timestamp == 0 && module.imageSize == 0) return {};
    return {name, PeImage::idOf(module.timestamp, module.imageSize), name};
}

SymbolRequest pdbRequest(const Module& module) {
    const std::string image(module.fileName());
    if (module.id.kind != ModuleId::Kind::pdb) return {};
    std::string name = lastPart(module.debugFile);
    if (name.empty()) name = fs::path(image).stem().string() + ".pdb";
    return {std::move(name), module.id.text(), image};
}

PeFiles findPeFiles(const Process& process, const Module& module, const SymbolOptions& options) {
    return PeSearch(options).run(process, module);
}

PeFiles findFilesOfPe(std::shared_ptr<const PeImage> image, const SymbolOptions& options) {
    return PeSearch(options).runAlone(std::move(image));
}

PeFiles filesOfPdb(Pdb pdb) {
    PeFiles files;
    files.info.kind = SymbolKind::pdb;
    files.info.debugPath = pdb->name();
    if (const std::string limits = pdb->limits(); !limits.empty())
        files.info.tried.push_back(pdb->name() + " " + limits);
    files.info.pdb = pdb;
    files.pdb = std::move(pdb);
    return files;
}

}  // namespace icecore
