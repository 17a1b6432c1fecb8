#include "symbols/pdb/pdb_file.h"

#include <algorithm>

#include "base/text.h"
#include "images/pe_image.h"
#include "images/pe_layout.h"
#include "symbols/demangle.h"
#include "symbols/msvc_name.h"
#include "symbols/pdb/user_type.h"

namespace icecore::pdb {

namespace {

/// Of object files' indices and of copies of their scattered pages.
constexpr std::uint64_t mostCached = std::uint64_t{48} << 20;

/// The table of named streams in the info stream: a buffer of names, then a hash table of offsets
/// into it and stream numbers. Calls `visit(name, number)`; returns where the table ends.
template <class Visit>
std::uint64_t readNamedStreams(const SharedBytes& info, Visit visit) {
    Cursor cursor(info.span());
    cursor.skip(sizeof(InfoHeader));
    const std::uint32_t size = cursor.u32();
    const ByteView buffer = cursor.bytes(size);
    const std::uint32_t count = cursor.u32();
    cursor.skip(4);              // capacity
    for (int i = 0; i < 2; ++i)  // buckets present, buckets deleted
        cursor.skip(std::uint64_t{cursor.u32()} * 4);
    for (std::uint32_t i = 0; i < count && cursor.ok() && cursor.canHold(1, 8); ++i) {
        const std::uint32_t offset = cursor.u32();
        const std::uint32_t number = cursor.u32();
        Cursor name(buffer.slice(offset));
        visit(name.cString(), number);
    }
    cursor.skip(4);
    return cursor.position();
}

/// A part of a readable name that its mangled form spells out too: the last identifier that is no
/// operator.
std::string_view tellingPart(std::string_view name) {
    const auto isLetter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '$';
    };
    std::string_view best;
    while (!name.empty()) {
        std::size_t end = 0;
        while (end < name.size() && isLetter(name[end]))
            ++end;
        const std::string_view word = name.substr(0, end);
        if (!word.empty() && word != "operator") best = word;
        const std::size_t next = name.find("::", end);
        // What a template's arguments name may be abbreviated.
        if (next == std::string_view::npos || name.substr(0, next).contains('<')) break;
        name.remove_prefix(next + 2);
    }
    return best.starts_with("operator") ? std::string_view() : best;
}

}  // namespace

std::string PdbIdentity::id() const {
    PeCodeView view;
    view.guid = guid;
    view.age = age;
    return view.id();
}

bool PdbIdentity::matches(std::string_view wanted) const {
    PdbIdentity other = *this;
    other.age = fileAge;
    return equalsIgnoreCase(wanted, id()) || equalsIgnoreCase(wanted, other.id());
}

Result<std::shared_ptr<const PdbFile>> PdbFile::open(std::shared_ptr<const Source> source) {
    std::shared_ptr<PdbFile> file(new PdbFile);
    ASSIGN_OR_RETURN(file->msf_, MsfFile::open(std::move(source)));
    TRY(file->readInfo());
    ASSIGN_OR_RETURN(file->dbi_, DbiStream::open(*file->msf_));
    const DbiHeader& dbi = file->dbi_->header();
    file->identity_.age = dbi.age != 0 ? std::uint32_t{dbi.age} : file->identity_.fileAge;
    file->names_ = file->namedStream("/names");
    file->types_ = TypeTable(*file->msf_, streamTypes);
    file->ids_ = TypeTable(*file->msf_, streamIds);
    const auto stream = [&](std::uint16_t number) {
        return number == noStream ? MsfStream() : file->msf_->stream(number);
    };
    const MsfStream records = stream(dbi.symbolStream);
    file->publics_ = PublicTable(stream(dbi.publicStream), records, file->dbi_->addresses());
    const MsfStream globals = stream(dbi.globalStream);
    file->globals_ = NameHash(globals, 0, globals.size(), records);
    return file;
}

Result<void> PdbFile::readInfo() {
    const MsfStream stream = msf_->stream(streamInfo);
    const auto header = stream.structure<InfoHeader>(0);
    if (!header) return fail(Errc::malformed, "holds no identity (stream 1)", msf_->name());
    std::ranges::copy(header->guid, identity_.guid.begin());
    identity_.signature = header->signature;
    identity_.fileAge = header->age;
    constexpr std::uint64_t mostInfo = 1U << 20;
    const SharedBytes info = stream.load(0, mostInfo);
    const std::uint64_t end = readNamedStreams(info, [](std::string_view, std::uint32_t) {});
    Cursor features(ByteView(info.span()).slice(end));
    while (features.canHold(1, 4))
        fastLink_ = features.u32() == featureFastLink || fastLink_;
    return {};
}

MsfStream PdbFile::namedStream(std::string_view name) const {
    constexpr std::uint64_t mostInfo = 1U << 20;
    const SharedBytes info = msf_->stream(streamInfo).load(0, mostInfo);
    std::optional<std::uint32_t> found;
    readNamedStreams(info, [&](std::string_view text, std::uint32_t number) {
        if (text == name) found = number;
    });
    return found ? msf_->stream(*found) : MsfStream();
}

std::string PdbFile::limits() const {
    if (fastLink_)
        return "was linked with /DEBUG:FASTLINK: lines, inlined calls and types stayed in the "
               "object files; names are those of the linker";
    if (stripped()) return "is stripped (/PDBSTRIPPED): it holds public names alone";
    return {};
}

std::string PdbFile::text(std::uint32_t offset) const {
    constexpr std::uint64_t header = 12, longest = 4096;
    const SharedBytes bytes = names_.load(header + offset, longest);
    const std::string_view all = bytes.text();
    return std::string(all.substr(0, all.find('\0')));
}

std::shared_ptr<const ObjectSymbols> PdbFile::object(std::uint32_t module) const {
    const std::scoped_lock lock(cache_.mutex);
    if (const auto known = cache_.objects.find(module); known != cache_.objects.end())
        return known->second;
    const auto& modules = dbi_->modules();
    if (module >= modules.size() || modules[module].stream == noStream) return nullptr;
    auto made = std::make_shared<const ObjectSymbols>(*msf_, modules[module], dbi_->addresses());
    if (cache_.memory + made->memory() > mostCached) {
        cache_.objects.clear();
        cache_.memory = 0;
    }
    cache_.memory += made->memory();
    cache_.objects.emplace(module, made);
    return made;
}

std::string PdbFile::fileName(const ObjectSymbols& object, std::uint32_t file) const {
    const auto info = object.file(file);
    return info ? text(info->name) : std::string();
}

std::string PdbFile::publicName(std::string_view raw) const {
    if (raw.starts_with('?')) return msvcName(raw);
    if (raw.starts_with("_Z") || raw.starts_with("__Z")) return functionName(raw);
    if (machine() == pe::machineX86) return withoutX86Decoration(raw);
    return std::string(raw);
}

std::string PdbFile::inlineeName(std::uint32_t id) const {
    constexpr std::uint16_t functionId = 0x1601, memberFunctionId = 0x1602, stringId = 0x1605;
    const auto record = ids_.record(id);
    if (!record || (record->kind != functionId && record->kind != memberFunctionId)) return {};
    Cursor cursor(record->content());
    const std::uint32_t scope = cursor.u32();
    cursor.skip(4);  // the function's type
    std::string name(cursor.cString());
    if (scope == 0) return name;
    std::string outer;
    if (record->kind == memberFunctionId) {
        const auto type = types_.record(scope);
        const auto user = type ? readUserType(*type) : std::nullopt;
        if (user) outer = user->name;
    } else if (const auto text = ids_.record(scope); text && text->kind == stringId) {
        Cursor content(text->content());
        content.skip(4);
        outer = content.cString();
    }
    return outer.empty() ? name : outer + "::" + name;
}

ModuleReader::Located PdbFile::locate(std::uint32_t address, bool isReturnAddress) const {
    ModuleReader::Located located;
    const std::uint32_t lookUp = isReturnAddress && address != 0 ? address - 1 : address;
    const auto linked = dbi_->addresses().fromImage(lookUp);
    if (!linked) return located;
    const std::uint32_t behind = address - lookUp;
    const auto place = dbi_->addresses().place(*linked);
    const auto module = place ? dbi_->moduleAt(*place) : std::nullopt;
    const auto symbols = module ? object(*module) : nullptr;
    const ObjectSymbols::Function* function = symbols ? symbols->functionAt(*linked) : nullptr;
    if (function != nullptr) {
        located.kind = SymbolKind::pdb;
        for (const auto& site : symbols->inlines(*function, *linked)) {
            SymbolFrame frame;
            frame.function = inlineeName(site.inlinee);
            frame.functionOffset = *linked - site.begin + behind;
            frame.line = site.source.line;
            if (frame.line != 0) frame.file = fileName(*symbols, site.source.file);
            frame.inlined = true;
            located.frames.push_back(std::move(frame));
        }
        SymbolFrame frame;
        frame.function = symbols->name(*function);
        frame.functionOffset =
            dbi_->addresses().distance(lookUp, function->begin, function->size) + behind;
        const SourceLine source = symbols->lineAt(*linked);
        frame.line = source.line;
        if (frame.line != 0) frame.file = fileName(*symbols, source.file);
        located.frames.push_back(std::move(frame));
        return located;
    }
    const auto name = publicAt(*linked, true);
    if (!name) return located;
    located.kind = SymbolKind::pdb;
    SymbolFrame frame;
    frame.function = name->name;
    frame.functionOffset = *linked - name->address + behind;
    if (symbols) {
        const SourceLine source = symbols->lineAt(*linked);
        frame.line = source.line;
        if (frame.line != 0) frame.file = fileName(*symbols, source.file);
    }
    located.frames.push_back(std::move(frame));
    return located;
}

/// `address` of the answer is a linked one.
std::optional<ModuleReader::Named> PdbFile::publicAt(std::uint32_t linked, bool codeOnly) const {
    const AddressMap& addresses = dbi_->addresses();
    const auto place = addresses.place(linked);
    if (!place) return std::nullopt;
    const auto found = publics_.at(*place, codeOnly);
    if (!found) return std::nullopt;
    const auto begin = addresses.linked(found->symbol.place.section, found->symbol.place.offset);
    if (!begin) return std::nullopt;
    return ModuleReader::Named{
        publicName(found->symbol.name), *begin,
        found->end > found->symbol.place.offset ? found->end - found->symbol.place.offset : 0,
        (found->symbol.flags & (publicCode | publicFunction)) != 0};
}

std::optional<ModuleReader::Named> PdbFile::nearest(std::uint32_t address) const {
    const AddressMap& addresses = dbi_->addresses();
    const auto linked = addresses.fromImage(address);
    const auto place = linked ? addresses.place(*linked) : std::nullopt;
    if (!place) return std::nullopt;
    const auto module = dbi_->moduleAt(*place);
    std::optional<ModuleReader::Named> found;
    if (const auto symbols = module ? object(*module) : nullptr) {
        if (const auto* function = symbols->functionAt(*linked))
            found = ModuleReader::Named{std::string(symbols->name(*function)), function->begin,
                                        function->size, true};
        if (!found) found = publicAt(*linked, false);
        // Between two public names may lie what only this object file knows.
        const auto* data = symbols->dataBefore(*linked);
        if (data != nullptr && (!found || (!found->function && data->begin > found->address)))
            found = ModuleReader::Named{std::string(symbols->name(*data)), data->begin, 0, false};
    }
    if (!found) found = publicAt(*linked, false);
    if (!found) return std::nullopt;
    const auto outside = addresses.toImage(static_cast<std::uint32_t>(found->address));
    if (!outside) return std::nullopt;
    found->address = *outside;
    return found;
}

/// Name and address of what a record of the globals or publics stands for.
std::optional<ModuleReader::Named> PdbFile::named(const GlobalSymbol& symbol) const {
    const AddressMap& addresses = dbi_->addresses();
    ModuleReader::Named named;
    std::optional<std::uint32_t> linked;
    switch (symbol.kind) {
    case symProcRef:
    case symLProcRef: {
        const auto& modules = dbi_->modules();
        if (symbol.module >= modules.size() || modules[symbol.module].stream == noStream)
            return std::nullopt;
        const MsfStream stream = msf_->stream(modules[symbol.module].stream);
        struct Head {
            Le16 length, kind;
            Procedure procedure;
        };
        const auto head = stream.structure<Head>(symbol.symbolOffset);
        if (!head || (head->kind != symGProc32 && head->kind != symLProc32)) return std::nullopt;
        linked = addresses.linked(head->procedure.section, head->procedure.offset);
        named.size = head->procedure.size;
        named.function = true;
        named.name = symbol.name;
        break;
    }
    case symGData32:
    case symLData32:
        linked = addresses.linked(symbol.place.section, symbol.place.offset);
        named.name = symbol.name;
        break;
    case symPublic32:
        linked = addresses.linked(symbol.place.section, symbol.place.offset);
        named.function = (symbol.flags & (publicCode | publicFunction)) != 0;
        named.name = publicName(symbol.name);
        break;
    default: return std::nullopt;
    }
    const auto outside = linked ? addresses.toImage(*linked) : std::nullopt;
    if (!outside) return std::nullopt;
    named.address = *outside;
    return named;
}

std::optional<ModuleReader::Named> PdbFile::byName(std::string_view name) const {
    std::optional<ModuleReader::Named> found;
    const auto take = [&](const GlobalSymbol& symbol) {
        auto candidate = named(symbol);
        if (candidate && (!found || (candidate->function && !found->function)))
            found = std::move(candidate);
        return !found || !found->function;
    };
    globals_.named(name, take);
    if (found) return found;
    publics_.names().named(name, take);
    if (found || name.empty()) return found;
    // A readable name of something that has only a mangled one.
    const std::string_view telling = tellingPart(name);
    publics_.names().all([&](const GlobalSymbol& symbol) {
        if (symbol.name.find(telling) == std::string::npos || publicName(symbol.name) != name)
            return true;
        return take(symbol);
    });
    return found;
}

void PdbFile::find(std::string_view pattern, std::size_t limit,
                   std::vector<ModuleReader::Named>& out) const {
    const std::size_t begin = out.size();
    globals_.all([&](const GlobalSymbol& symbol) {
        if (out.size() >= limit) return false;
        if (!matchesWildcard(symbol.name, pattern)) return true;
        if (auto candidate = named(symbol)) out.push_back(std::move(*candidate));
        return true;
    });
    if (out.size() >= limit) return;
    // Publics name the same things once more, by their mangled names.
    const auto byPlace = [](const ModuleReader::Named& a, const ModuleReader::Named& b) {
        return std::tie(a.address, a.name) < std::tie(b.address, b.name);
    };
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), byPlace);
    std::vector<std::uint64_t> known;
    for (std::size_t i = begin; i < out.size(); ++i)
        known.push_back(out[i].address);
    publics_.names().all([&](const GlobalSymbol& symbol) {
        if (out.size() >= limit) return false;
        if (!matchesWildcard(publicName(symbol.name), pattern)) return true;
        auto candidate = named(symbol);
        if (candidate && !std::ranges::binary_search(known, candidate->address))
            out.push_back(std::move(*candidate));
        return true;
    });
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), byPlace);
}

PdbFile::Totals PdbFile::countAll() const {
    Totals totals;
    publics_.names().all([&](const GlobalSymbol& symbol) {
        totals.publics += symbol.kind == symPublic32;
        totals.bytes += sizeof(Public) + 5 + symbol.name.size();
        return true;
    });
    for (const ObjectModule& module : dbi_->modules()) {
        if (module.stream == noStream) continue;
        const ObjectSymbols symbols(*msf_, module, dbi_->addresses());
        totals.functions += symbols.functions().size();
        totals.bytes += std::uint64_t{module.symbolSize} + module.c13Size;
    }
    return totals;
}

std::optional<PdbFile::FileChecksum> PdbFile::checksumAt(std::uint32_t address) const {
    const auto linked = dbi_->addresses().fromImage(address);
    const auto place = linked ? dbi_->addresses().place(*linked) : std::nullopt;
    const auto module = place ? dbi_->moduleAt(*place) : std::nullopt;
    const auto symbols = module ? object(*module) : nullptr;
    if (!symbols) return std::nullopt;
    const SourceLine source = symbols->lineAt(*linked);
    const auto file = source.line != 0 ? symbols->file(source.file) : std::nullopt;
    if (!file) return std::nullopt;
    constexpr std::array<std::string_view, 4> kinds = {"", "MD5", "SHA-1", "SHA-256"};
    return FileChecksum{text(file->name), std::string(kinds[file->checksumKind % kinds.size()]),
                        hexBytes(file->checksum.span())};
}

}  // namespace icecore::pdb
