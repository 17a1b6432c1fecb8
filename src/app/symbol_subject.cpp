#include "app/symbol_subject.h"

#include "app/report.h"
#include "bytes/elf_layout.h"
#include "formats/format.h"
#include "symbols/breakpad/sym_file.h"
#include "symbols/module_symbolizer.h"
#include "symbols/pe_symbols.h"

namespace icecore::app {

Result<Subject> openSubject(const std::string& path) {
    ASSIGN_OR_RETURN(auto source, openSource(path));
    Subject subject;
    if (auto image = ElfImage::open(source); image && (*image)->type() != elf::typeCore) {
        subject.elf = std::move(*image);
        return subject;
    }
    if (auto image = PeImage::open(source)) {
        subject.pe = std::move(*image);
        return subject;
    }
    auto pdb = pdb::PdbFile::open(source);
    if (pdb) {
        subject.pdb = std::move(*pdb);
        return subject;
    }
    if (pdb.error().message != "is no PDB") return std::unexpected(pdb.error());
    ASSIGN_OR_RETURN(subject.dump, openDump(path));
    if (!subject.dump->process)
        return fail(Errc::unsupported, "holds no process, so that no modules are known", path);
    return subject;
}

Result<FileReader> openReader(const std::string& path, const SymbolOptions& options) {
    ASSIGN_OR_RETURN(auto source, openSource(path));
    FileReader file;
    if (SymFile::looksLike(*source)) {
        ASSIGN_OR_RETURN(auto sym, SymFile::open(std::move(source)));
        file.reader = std::make_unique<BreakpadSymbols>(std::move(sym), 0);
        return file;
    }
    if (auto image = PeImage::open(source)) {
        file.preferred = (*image)->imageBase();
        file.reader = std::make_unique<PeSymbols>(findFilesOfPe(std::move(*image), options));
        return file;
    }
    auto pdb = pdb::PdbFile::open(source);
    if (pdb) {
        file.reader = std::make_unique<PeSymbols>(filesOfPdb(std::move(*pdb)));
        return file;
    }
    if (pdb.error().message != "is no PDB") return std::unexpected(pdb.error());
    ASSIGN_OR_RETURN(auto image, ElfImage::open(std::move(source)));
    if (image->type() == elf::typeCore)
        return fail(Errc::usage, "is a core dump: `icecore open` looks up its addresses", path);
    file.base = file.preferred = image->imageBase();
    file.reader = std::make_unique<ModuleSymbolizer>(findFilesOf(std::move(image), options));
    return file;
}

}  // namespace icecore::app
