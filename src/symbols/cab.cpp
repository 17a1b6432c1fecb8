#include "symbols/cab.h"

#include <mspack.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

#include "base/text.h"
#include "bytes/sink.h"
#include "bytes/source.h"

namespace icecore {

namespace {

/// libmspack reads and writes through these: nothing is ever opened by name.
struct Input {
    std::span<const std::byte> bytes;
};
struct Output {
    Sink* sink = nullptr;
    std::uint64_t limit = 0;
    std::optional<Error> error;
};
struct OpenFile {
    const Input* input = nullptr;
    Output* output = nullptr;
    std::size_t position = 0;
};

/// One of ours: libmspack's structure, and what its callbacks need.
struct System final : mspack_system {
    Input input;
    Output output;
};

constexpr const char* inputName = "in";
constexpr const char* outputName = "out";

OpenFile* fileOf(mspack_file* file) {
    return reinterpret_cast<OpenFile*>(file);
}

mspack_file* openFile(mspack_system* self, const char* name, int mode) {
    auto* system = static_cast<System*>(self);
    auto file = std::make_unique<OpenFile>();
    if (mode == MSPACK_SYS_OPEN_READ && std::strcmp(name, inputName) == 0)
        file->input = &system->input;
    else if (mode == MSPACK_SYS_OPEN_WRITE && std::strcmp(name, outputName) == 0)
        file->output = &system->output;
    else
        return nullptr;  // another cabinet of a set
    return reinterpret_cast<mspack_file*>(file.release());
}

void closeFile(mspack_file* file) {
    delete fileOf(file);
}

int readFile(mspack_file* handle, void* buffer, int size) {
    OpenFile* file = fileOf(handle);
    if (file->input == nullptr || size < 0) return -1;
    const std::size_t left = file->input->bytes.size() - file->position;
    const std::size_t count = std::min(left, static_cast<std::size_t>(size));
    if (count != 0) std::memcpy(buffer, file->input->bytes.data() + file->position, count);
    file->position += count;
    return static_cast<int>(count);
}

int writeFile(mspack_file* handle, void* buffer, int size) {
    Output* output = fileOf(handle)->output;
    if (output == nullptr || size < 0) return -1;
    if (output->sink->position() + static_cast<std::uint64_t>(size) > output->limit) {
        output->error =
            Error{Errc::limit, "unpacks to more than " + humanBytes(output->limit), {}, nullptr};
        return -1;
    }
    const auto written = output->sink->write(
        {static_cast<const std::byte*>(buffer), static_cast<std::size_t>(size)});
    if (written) return size;
    output->error = written.error();
    return -1;
}

int seekFile(mspack_file* handle, off_t offset, int mode) {
    OpenFile* file = fileOf(handle);
    if (file->input == nullptr) return -1;
    const auto size = static_cast<off_t>(file->input->bytes.size());
    off_t position = offset;
    if (mode == MSPACK_SYS_SEEK_CUR) position += static_cast<off_t>(file->position);
    if (mode == MSPACK_SYS_SEEK_END) position += size;
    if (position < 0 || position > size) return -1;
    file->position = static_cast<std::size_t>(position);
    return 0;
}

off_t tellFile(mspack_file* handle) {
    return static_cast<off_t>(fileOf(handle)->position);
}

void say(mspack_file*, const char*, ...) {}

void* allocate(mspack_system*, std::size_t size) {
    return std::malloc(size);
}

void copyBytes(void* from, void* to, std::size_t size) {
    std::memcpy(to, from, size);
}

std::string_view wordFor(int code) {
    switch (code) {
    case MSPACK_ERR_READ: return "it ends too early";
    case MSPACK_ERR_SIGNATURE: return "it does not begin like a cabinet";
    case MSPACK_ERR_DATAFORMAT: return "its headers contradict themselves";
    case MSPACK_ERR_CHECKSUM: return "a checksum is wrong";
    case MSPACK_ERR_DECRUNCH: return "its compressed data are damaged";
    case MSPACK_ERR_NOMEMORY: return "there is too little memory";
    default: return "it cannot be unpacked";
    }
}

Result<void> unpack(std::span<const std::byte> cabinet, Sink& sink, std::uint64_t limit,
                    const std::string& name) {
    System system{};
    system.open = &openFile;
    system.close = &closeFile;
    system.read = &readFile;
    system.write = &writeFile;
    system.seek = &seekFile;
    system.tell = &tellFile;
    system.message = &say;
    system.alloc = &allocate;
    system.free = &std::free;
    system.copy = &copyBytes;
    system.input.bytes = cabinet;
    system.output.sink = &sink;
    system.output.limit = limit;
    const std::unique_ptr<mscab_decompressor, decltype(&mspack_destroy_cab_decompressor)> decoder(
        mspack_create_cab_decompressor(&system), &mspack_destroy_cab_decompressor);
    if (!decoder) return fail(Errc::internal, "libmspack does not start");
    const auto failure = [&] {
        if (system.output.error) return std::unexpected(*system.output.error);
        return fail(
            Errc::malformed,
            "is no whole cabinet: " + std::string(wordFor(decoder->last_error(decoder.get()))),
            name);
    };
    mscabd_cabinet* opened = decoder->open(decoder.get(), inputName);
    if (opened == nullptr) return failure();
    Result<void> result;
    if (opened->files == nullptr) {
        result = fail(Errc::malformed, "the cabinet is empty", name);
    } else if (opened->files->length > limit) {
        result = fail(Errc::limit, "unpacks to more than " + humanBytes(limit), name);
    } else if (decoder->extract(decoder.get(), opened->files, outputName) != MSPACK_ERR_OK) {
        result = failure();
    }
    decoder->close(decoder.get(), opened);
    return result;
}

}  // namespace

Result<void> unpackCabinet(const std::filesystem::path& cabinet,
                           const std::filesystem::path& target) {
    ASSIGN_OR_RETURN(const auto source, openMappedFile(cabinet));
    ASSIGN_OR_RETURN(auto sink, createFileSink(target, {.overwrite = true, .expected = 0}));
    TRY(unpack(source->mapped(), *sink, UINT32_MAX, cabinet.string()));
    return sink->finish();
}

Result<std::vector<std::byte>> unpackCabinet(std::span<const std::byte> cabinet,
                                             std::uint64_t limit) {
    MemorySink sink;
    TRY(unpack(cabinet, sink, limit, "cabinet"));
    return std::move(sink.bytes());
}

}  // namespace icecore
