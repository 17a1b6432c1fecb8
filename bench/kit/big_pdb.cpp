#include "kit/big_pdb.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

#include "symbols/pdb/name_hash.h"
#include "symbols/pdb/pdb_layout.h"

namespace icecore::bench {

namespace {

using namespace icecore::pdb;
using Bytes = std::vector<std::byte>;

constexpr std::uint32_t pageSize = 4096;
constexpr std::uint32_t functionSize = 64, functionsPerObject = 400;
constexpr std::uint32_t textAddress = 0x1000;
constexpr std::uint32_t inlinedFrom = 32;
/// What one function comes to in all streams, at least.
constexpr std::uint64_t bytesPerFunction = 498;

template <class T>
void append(Bytes& out, const T& value) {
    const auto raw = bytesOf(value);
    out.insert(out.end(), raw.begin(), raw.end());
}
void append(Bytes& out, std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    out.insert(out.end(), raw.begin(), raw.end());
    out.push_back({});
}
void pad(Bytes& out) {
    while (out.size() % 4 != 0)
        out.push_back({});
}

/// A symbol record: length and kind in front, padded behind. Returns where it begins.
template <class Fill>
std::uint32_t record(Bytes& out, std::uint16_t kind, Fill fill) {
    const std::size_t at = out.size();
    append(out, Le16(0));
    append(out, Le16(kind));
    fill();
    pad(out);
    storeInteger(out.data() + at, static_cast<std::uint16_t>(out.size() - at - 2));
    return static_cast<std::uint32_t>(at);
}

std::string nameOf(std::uint32_t object, std::uint32_t function) {
    return fmt::format("engine::subsystem_{:05}::Component::function_{:03}", object, function);
}

/// Pages go to the file as streams come; their numbers are remembered.
class MsfFileWriter {
public:
    explicit MsfFileWriter(const std::string& path) : file_(path, std::ios::binary) {
        const Bytes front(std::size_t{3} * pageSize);
        put(front);
        nextPage_ = 3;
    }
    void add(const Bytes& content, bool reversed = false) {
        sizes_.push_back(static_cast<std::uint32_t>(content.size()));
        const auto pages = store(content, reversed);
        lists_.insert(lists_.end(), pages.begin(), pages.end());
    }
    bool finish() {
        Bytes directory, list;
        append(directory, Le32(static_cast<std::uint32_t>(sizes_.size())));
        for (const std::uint32_t size : sizes_)
            append(directory, Le32(size));
        for (const std::uint32_t page : lists_)
            append(directory, Le32(page));
        for (const std::uint32_t page : store(directory, false))
            append(list, Le32(page));
        const auto listPages = store(list, false);
        Bytes super;
        append(super, std::string_view("Microsoft C/C++ MSF 7.00\r\n\x1a"
                                       "DS\0\0",
                                       31));
        for (const std::uint32_t value :
             {pageSize, 1U, nextPage_, static_cast<std::uint32_t>(directory.size()), 0U})
            append(super, Le32(value));
        for (const std::uint32_t page : listPages)
            append(super, Le32(page));
        file_.seekp(0);
        put(super);
        file_.flush();
        return file_.good();
    }
    [[nodiscard]] std::uint64_t bytes() const { return std::uint64_t{nextPage_} * pageSize; }

private:
    void put(const Bytes& bytes) {
        file_.write(reinterpret_cast<const char*>(bytes.data()),
                    static_cast<std::streamsize>(bytes.size()));
    }
    std::vector<std::uint32_t> store(const Bytes& content, bool reversed) {
        const auto count = static_cast<std::uint32_t>((content.size() + pageSize - 1) / pageSize);
        std::vector<std::uint32_t> pages(count);
        Bytes laidOut(std::size_t{count} * pageSize);
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::uint32_t at = reversed ? count - 1 - i : i;
            pages[i] = nextPage_ + at;
            const std::size_t from = std::size_t{i} * pageSize;
            std::memcpy(laidOut.data() + std::size_t{at} * pageSize, content.data() + from,
                        std::min<std::size_t>(pageSize, content.size() - from));
        }
        put(laidOut);
        nextPage_ += count;
        return pages;
    }

    std::ofstream file_;
    std::uint32_t nextPage_ = 0;
    std::vector<std::uint32_t> sizes_, lists_;
};

class BigPdbWriter {
public:
    BigPdbWriter(const std::string& path, std::uint64_t bytes)
        : file_(path),
          objects_(static_cast<std::uint32_t>(
              std::max<std::uint64_t>(1, bytes / bytesPerFunction / functionsPerObject))) {}

    Result<BigPdb> run() {
        file_.add({});  // the directory before this one
        file_.add(info());
        file_.add(types(0, {}));
        globalsAndPublics();
        file_.add(dbi());
        Bytes helper;
        record(helper, 0x1601, [&] {  // LF_FUNC_ID
            append(helper, Le32(0));
            append(helper, Le32(0));
            append(helper, "inlined_helper");
        });
        file_.add(types(1, helper));
        file_.add(names());
        file_.add(sections());
        file_.add(globals_);
        file_.add(publics_);
        file_.add(records_);
        for (std::uint32_t object = 0; object < objects_; ++object)
            file_.add(objectStream(object), object % 2 == 1);
        if (!file_.finish()) return fail(Errc::io, "cannot be written");
        return BigPdb{std::uint64_t{objects_} * functionsPerObject, file_.bytes(), textAddress,
                      functionSize, inlinedFrom};
    }

private:
    static constexpr std::uint16_t streamNames = 5, streamSections = 6, streamGlobals = 7,
                                   streamPublics = 8, streamRecords = 9, firstObject = 10;

    static std::uint32_t offsetOf(std::uint32_t object, std::uint32_t function) {
        return (object * functionsPerObject + function) * functionSize;
    }

    static Bytes info() {
        Bytes out;
        InfoHeader header{};
        header.version = 20000404;
        header.age = 1;
        header.guid[0] = std::byte{1};
        append(out, header);
        append(out, Le32(7));
        append(out, std::string_view("/names"));
        for (const std::uint32_t value : {1U, 2U, 1U, 1U, 0U, 0U, std::uint32_t{streamNames}, 0U})
            append(out, Le32(value));
        return out;
    }
    static Bytes types(std::uint32_t count, const Bytes& content) {
        Bytes out;
        TypeHeader header{};
        header.version = 20040203;
        header.headerSize = sizeof header;
        header.first = 0x1000;
        header.last = 0x1000 + count;
        header.recordBytes = static_cast<std::uint32_t>(content.size());
        header.hashStream = noStream;
        header.hashAuxStream = noStream;
        append(out, header);
        out.insert(out.end(), content.begin(), content.end());
        return out;
    }
    static Bytes names() {
        Bytes out, text(1);
        append(text, std::string_view("d:\\engine\\source\\component.cpp"));
        append(text, std::string_view("d:\\engine\\source\\helper.h"));
        append(out, Le32(0xeffeeffe));
        append(out, Le32(1));
        append(out, Le32(static_cast<std::uint32_t>(text.size())));
        out.insert(out.end(), text.begin(), text.end());
        return out;
    }
    [[nodiscard]] Bytes sections() const {
        Bytes out;
        SectionHeader header{};
        std::memcpy(header.name, ".text", 5);
        header.address = textAddress;
        header.virtualSize = objects_ * functionsPerObject * functionSize;
        header.rawSize = header.virtualSize;
        header.characteristics = 0x60000020;
        append(out, header);
        return out;
    }

    Bytes objectStream(std::uint32_t object) {
        Bytes out;
        append(out, Le32(4));
        for (std::uint32_t i = 0; i < functionsPerObject; ++i) {
            const std::uint32_t at = record(out, symGProc32, [&] {
                Procedure procedure{};
                procedure.size = functionSize;
                procedure.offset = offsetOf(object, i);
                procedure.section = 1;
                append(out, procedure);
                append(out, std::string_view(nameOf(object, i)));
            });
            for (const char* local : {"context", "elapsedSeconds", "intermediateResult"}) {
                record(out, symRegRel32, [&] {
                    append(out, Le32(8));
                    append(out, Le32(0x74));
                    append(out, Le16(335));
                    append(out, std::string_view(local));
                });
            }
            record(out, symInlineSite, [&] {
                append(out, InlineSite{Le32(at), Le32(0), Le32(0x1000)});
                // code +32, line +2; for 32 bytes
                for (const int value : {6, 4, 3, static_cast<int>(inlinedFrom), 4,
                                        static_cast<int>(functionSize - inlinedFrom)})
                    out.push_back(static_cast<std::byte>(value));
            });
            record(out, symInlineSiteEnd, [] {});
            const std::uint32_t end = record(out, symEnd, [] {});
            storeInteger(out.data() + at + 4 + offsetof(Procedure, end), end);
        }
        symbolSize_ = static_cast<std::uint32_t>(out.size());
        subsection(out, subsectionChecksums, [&] {
            for (const std::uint32_t name : {1U, 32U}) {
                append(out, Le32(name));
                append(out, Le16(0));
                pad(out);
            }
        });
        subsection(out, subsectionInlinees, [&] {
            append(out, Le32(0));
            append(out, Inlinee{Le32(0x1000), Le32(8), Le32(10)});
        });
        for (std::uint32_t i = 0; i < functionsPerObject; ++i) {
            subsection(out, subsectionLines, [&] {
                append(out, LinesHeader{Le32(offsetOf(object, i)), Le16(1), Le16(0),
                                        Le32(functionSize)});
                constexpr std::uint32_t lines = 8;
                append(out, LinesBlock{Le32(0), Le32(lines), Le32(12 + lines * 8)});
                for (std::uint32_t line = 0; line < lines; ++line)
                    append(out, LineEntry{Le32(line * 8), Le32(i * 10 + line + 1)});
            });
        }
        lineSize_ = static_cast<std::uint32_t>(out.size()) - symbolSize_;
        return out;
    }
    template <class Fill>
    static void subsection(Bytes& out, std::uint32_t kind, Fill fill) {
        append(out, Le32(kind));
        const std::size_t at = out.size();
        append(out, Le32(0));
        fill();
        storeInteger(out.data() + at, static_cast<std::uint32_t>(out.size() - at - 4));
        pad(out);
    }

    struct Hashed {
        std::uint32_t bucket, offset;
    };
    static Bytes hash(std::vector<Hashed> all) {
        std::ranges::stable_sort(all, {}, &Hashed::bucket);
        Bytes out, bits((hashBuckets / 32 + 1) * 4), offsets;
        append(out, HashHeader{Le32(hashSignature), Le32(hashVersion),
                               Le32(static_cast<std::uint32_t>(all.size() * sizeof(HashRecord))),
                               Le32(0)});
        for (std::size_t i = 0; i < all.size(); ++i) {
            append(out, HashRecord{Le32(all[i].offset + 1), Le32(1)});
            if (i != 0 && all[i].bucket == all[i - 1].bucket) continue;
            bits[all[i].bucket / 8] |= std::byte{1} << (all[i].bucket % 8);
            append(offsets, Le32(static_cast<std::uint32_t>(i * 12)));
        }
        out.insert(out.end(), bits.begin(), bits.end());
        out.insert(out.end(), offsets.begin(), offsets.end());
        storeInteger(out.data() + offsetof(HashHeader, bucketSize),
                     static_cast<std::uint32_t>(bits.size() + offsets.size()));
        return out;
    }
    void globalsAndPublics() {
        const Bytes sample = objectStream(0);
        // Every record of an object has the same size.
        const std::uint32_t perFunction = (symbolSize_ - 4) / functionsPerObject;
        std::vector<Hashed> globals, publics;
        Bytes map;
        for (std::uint32_t object = 0; object < objects_; ++object) {
            for (std::uint32_t i = 0; i < functionsPerObject; ++i) {
                const std::string name = nameOf(object, i);
                globals.push_back(
                    {hashName(name) % hashBuckets, record(records_, symProcRef, [&] {
                         append(records_, Reference{Le32(0), Le32(4 + i * perFunction),
                                                    Le16(static_cast<std::uint16_t>(object + 1))});
                         append(records_, std::string_view(name));
                     })});
                const std::string mangled = fmt::format(
                    "?function_{:03}@Component@subsystem_{:05}@engine@@QEAAXXZ", i, object);
                const std::uint32_t at = record(records_, symPublic32, [&] {
                    append(records_,
                           Public{Le32(publicFunction), Le32(offsetOf(object, i)), Le16(1)});
                    append(records_, std::string_view(mangled));
                });
                publics.push_back({hashName(mangled) % hashBuckets, at});
                append(map, Le32(at));
            }
        }
        globals_ = hash(std::move(globals));
        const Bytes names = hash(std::move(publics));
        PublicsHeader header{};
        header.hashSize = static_cast<std::uint32_t>(names.size());
        header.addressMapSize = static_cast<std::uint32_t>(map.size());
        append(publics_, header);
        publics_.insert(publics_.end(), names.begin(), names.end());
        publics_.insert(publics_.end(), map.begin(), map.end());
    }

    [[nodiscard]] Bytes dbi() const {
        Bytes modules, contributions, debug;
        append(contributions, Le32(contributions60));
        for (std::uint32_t object = 0; object < objects_; ++object) {
            ModuleInfo info{};
            info.symbolStream = static_cast<std::uint16_t>(firstObject + object);
            info.symbolSize = symbolSize_;
            info.c13Size = lineSize_;
            append(modules, info);
            append(modules, std::string_view(fmt::format("d:\\engine\\{:05}.obj", object)));
            append(modules, std::string_view("d:\\engine\\engine.lib"));
            pad(modules);
            for (std::uint32_t i = 0; i < functionsPerObject; ++i) {
                Contribution entry{};
                entry.section = 1;
                entry.offset = offsetOf(object, i);
                entry.size = functionSize;
                entry.module = static_cast<std::uint16_t>(object);
                append(contributions, entry);
            }
        }
        for (std::size_t i = 0; i < debugStreamCount; ++i)
            append(debug, Le16(i == debugSections ? streamSections : noStream));
        DbiHeader header{};
        header.signature = dbiSignature;
        header.version = 19990903;
        header.age = 1;
        header.globalStream = streamGlobals;
        header.publicStream = streamPublics;
        header.symbolStream = streamRecords;
        header.moduleInfoSize = static_cast<std::uint32_t>(modules.size());
        header.contributionSize = static_cast<std::uint32_t>(contributions.size());
        header.debugHeaderSize = static_cast<std::uint32_t>(debug.size());
        header.machine = 0x8664;
        Bytes out;
        append(out, header);
        for (const Bytes* part : {&modules, &contributions, &debug})
            out.insert(out.end(), part->begin(), part->end());
        return out;
    }

    MsfFileWriter file_;
    std::uint32_t objects_;
    std::uint32_t symbolSize_ = 0, lineSize_ = 0;
    Bytes globals_, publics_, records_;
};

}  // namespace

Result<BigPdb> writeBigPdb(const std::string& path, std::uint64_t bytes) {
    return BigPdbWriter(path, bytes).run();
}

}  // namespace icecore::bench
