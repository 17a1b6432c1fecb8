// icecore.h: opening a dump and looking into it.
#include <icecore/icecore.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "analysis/analysis.h"
#include "capi/guarded.h"
#include "formats/format.h"

using namespace icecore;
using namespace icecore::capi;

/// What names nothing by itself in a Snapshot, and must live as long as the dump.
struct icecore_dump {
    explicit icecore_dump(Snapshot opened) : snapshot(std::move(opened)) {
        const Process& dumped = process();
        for (const Module& module : dumped.modules) {
            moduleNames.emplace_back(module.shortName());
            moduleIds.push_back(module.id.text());
        }
        for (const Issue& issue : snapshot.issues.items())
            issues.push_back(issue.describe());
        look(SymbolOptions{});
    }
    [[nodiscard]] const Process& process() const { return *snapshot.process; }
    void look(SymbolOptions options) {
        unwinder.reset();
        symbolizer = std::make_unique<Symbolizer>(process(), std::move(options));
        unwinder = std::make_unique<Unwinder>(process(), *symbolizer);
    }

    Snapshot snapshot;
    std::vector<std::string> moduleNames, moduleIds, issues;
    std::unique_ptr<Symbolizer> symbolizer;
    std::unique_ptr<Unwinder> unwinder;
};

struct icecore_stack {
    NamedStack named;
    std::vector<std::string> moduleNames;  ///< one per frame
};

namespace {

template <class T>
Result<void> given(const T* pointer, const char* name) {
    if (pointer == nullptr) return fail(Errc::usage, std::string(name) + " is NULL");
    return {};
}

Result<const Thread*> threadAt(const icecore_dump* dump, std::size_t index) {
    TRY(given(dump, "dump"));
    if (index >= dump->process().threads.size())
        return fail(Errc::not_found, "there is no thread with that index");
    return &dump->process().threads[index];
}

const char* literal(std::string_view text) {
    return text.data();  // of a literal: it ends with NUL
}

icecore_trust trustOf(Trust trust) {
    switch (trust) {
    case Trust::context: return ICECORE_TRUST_CONTEXT;
    case Trust::unwind_info: return ICECORE_TRUST_UNWIND_INFO;
    case Trust::cfi: return ICECORE_TRUST_CFI;
    // Its constants are final, and none is nearer.
    case Trust::shadow_stack:
    case Trust::frame_pointer: return ICECORE_TRUST_FRAME_POINTER;
    case Trust::scan: return ICECORE_TRUST_SCAN;
    case Trust::inlined: return ICECORE_TRUST_INLINE;
    }
    return ICECORE_TRUST_SCAN;
}

Result<void> open(const char* path, icecore_dump** dump) {
    TRY(given(dump, "dump"));
    *dump = nullptr;
    TRY(given(path, "path"));
    ASSIGN_OR_RETURN(Snapshot snapshot, openDump(path));
    if (!snapshot.process) return fail(Errc::unsupported, "not the dump of a process", path);
    *dump = std::make_unique<icecore_dump>(std::move(snapshot)).release();
    return {};
}

Result<void> describe(const icecore_dump* dump, icecore_process_info* info) {
    TRY(given(dump, "dump"));
    TRY(given(info, "info"));
    const Process& process = dump->process();
    info->pid = process.pid;
    info->parent_pid = process.parentPid;
    info->name = process.name.c_str();
    info->executable = process.executable.c_str();
    info->os = literal(toString(process.system.os));
    info->os_version = process.system.version.c_str();
    info->architecture = literal(toString(process.system.arch));
    info->thread_count = process.threads.size();
    info->module_count = process.modules.size();
    info->issue_count = dump->issues.size();
    return {};
}

Result<void> describe(const icecore_dump* dump, icecore_exception_info* info) {
    TRY(given(dump, "dump"));
    TRY(given(info, "info"));
    const auto& exception = dump->process().exception;
    if (!exception) return fail(Errc::not_found, "nothing had happened to the process");
    info->thread_id = exception->threadId;
    info->code = exception->code;
    info->signal_code = exception->signalCode;
    info->has_fault_address = exception->faultAddress ? 1 : 0;
    info->fault_address = exception->faultAddress.value_or(0);
    info->address = exception->address;
    return {};
}

Result<void> describe(const icecore_dump* dump, std::size_t index, icecore_thread_info* info) {
    ASSIGN_OR_RETURN(const Thread* thread, threadAt(dump, index));
    TRY(given(info, "info"));
    info->id = thread->id;
    info->name = thread->name.c_str();
    info->has_registers = thread->context ? 1 : 0;
    info->pc = thread->context ? thread->context->registers.pc() : 0;
    info->sp = thread->context ? thread->context->registers.sp() : 0;
    return {};
}

Result<void> describe(const icecore_dump* dump, std::size_t index, icecore_module_info* info) {
    TRY(given(dump, "dump"));
    TRY(given(info, "info"));
    if (index >= dump->process().modules.size())
        return fail(Errc::not_found, "there is no module with that index");
    const Module& module = dump->process().modules[index];
    info->begin = module.range.begin();
    info->end = module.range.end();
    info->path = module.path.c_str();
    info->name = dump->moduleNames[index].c_str();
    info->id = dump->moduleIds[index].c_str();
    info->version = module.version.c_str();
    info->timestamp = module.timestamp;
    info->image_size = module.imageSize;
    return {};
}

Result<void> readRegister(const icecore_dump* dump, std::size_t index, const char* name,
                          std::uint64_t* value) {
    ASSIGN_OR_RETURN(const Thread* thread, threadAt(dump, index));
    TRY(given(name, "name"));
    TRY(given(value, "value"));
    if (!thread->context) return fail(Errc::not_found, "the dump has no registers of this thread");
    const Registers& registers = thread->context->registers;
    const auto id = registerByName(registers.arch(), name);
    const auto found = id ? registers.get(*id) : std::nullopt;
    if (!found) return fail(Errc::not_found, std::string("no register ") + name);
    *value = *found;
    return {};
}

Result<void> walk(const icecore_dump* dump, std::size_t index, icecore_stack** stack) {
    TRY(given(stack, "stack"));
    *stack = nullptr;
    ASSIGN_OR_RETURN(const Thread* thread, threadAt(dump, index));
    if (!thread->context) return fail(Errc::not_found, "the dump has no registers of this thread");
    auto walked = std::make_unique<icecore_stack>();
    walked->named = nameStack(thread->id, dump->unwinder->unwind(*thread), *dump->symbolizer);
    for (const NamedFrame& frame : walked->named.frames)
        walked->moduleNames.emplace_back(frame.module != nullptr ? frame.module->shortName() : "");
    *stack = walked.release();
    return {};
}

Result<void> describe(const icecore_stack* stack, std::size_t index, icecore_frame* out) {
    TRY(given(stack, "stack"));
    TRY(given(out, "frame"));
    if (index >= stack->named.frames.size())
        return fail(Errc::not_found, "there is no frame with that index");
    const NamedFrame& frame = stack->named.frames[index];
    out->pc = frame.pc;
    out->sp = frame.sp;
    out->trust = trustOf(frame.trust);
    out->module = stack->moduleNames[index].c_str();
    out->module_offset = frame.moduleOffset;
    out->function = frame.function.c_str();
    out->function_offset = frame.functionOffset;
    out->file = frame.file.c_str();
    out->line = frame.line;
    return {};
}

Result<void> readMemory(const icecore_dump* dump, std::uint64_t address, void* buffer,
                        std::size_t size, std::size_t* got) {
    if (got != nullptr) *got = 0;
    TRY(given(dump, "dump"));
    if (size > 0) TRY(given(buffer, "buffer"));
    const AddressSpace& memory = *dump->process().memory;
    const ReadOutcome outcome = memory.read(address, {static_cast<std::byte*>(buffer), size});
    if (got != nullptr) *got = outcome.bytes;
    if (outcome.bytes == size) return {};
    return fail(Errc::unreadable, memory.explain(address + outcome.bytes));
}

}  // namespace

extern "C" {

icecore_status icecore_open(const char* path, icecore_dump** dump) {
    return guarded([&] { return open(path, dump); });
}

void icecore_close(icecore_dump* dump) {
    delete dump;
}

icecore_status icecore_set_symbol_path(icecore_dump* dump, const char* path) {
    return guarded([&]() -> Result<void> {
        TRY(given(dump, "dump"));
        TRY(given(path, "path"));
        SymbolOptions options = dump->symbolizer->options();
        options.path = path;
        dump->look(std::move(options));
        return {};
    });
}

icecore_status icecore_process(const icecore_dump* dump, icecore_process_info* info) {
    return guarded([&] { return describe(dump, info); });
}

icecore_status icecore_issue(const icecore_dump* dump, size_t index, const char** text) {
    return guarded([&]() -> Result<void> {
        TRY(given(dump, "dump"));
        TRY(given(text, "text"));
        if (index >= dump->issues.size())
            return fail(Errc::not_found, "there is no issue with that index");
        *text = dump->issues[index].c_str();
        return {};
    });
}

icecore_status icecore_exception(const icecore_dump* dump, icecore_exception_info* info) {
    return guarded([&] { return describe(dump, info); });
}

icecore_status icecore_thread(const icecore_dump* dump, size_t index, icecore_thread_info* info) {
    return guarded([&] { return describe(dump, index, info); });
}

icecore_status icecore_register(const icecore_dump* dump, size_t thread, const char* name,
                                uint64_t* value) {
    return guarded([&] { return readRegister(dump, thread, name, value); });
}

icecore_status icecore_module(const icecore_dump* dump, size_t index, icecore_module_info* info) {
    return guarded([&] { return describe(dump, index, info); });
}

icecore_status icecore_walk(const icecore_dump* dump, size_t thread, icecore_stack** stack) {
    return guarded([&] { return walk(dump, thread, stack); });
}

size_t icecore_frame_count(const icecore_stack* stack) {
    return stack == nullptr ? 0 : stack->named.frames.size();
}

icecore_status icecore_stack_frame(const icecore_stack* stack, size_t index, icecore_frame* frame) {
    return guarded([&] { return describe(stack, index, frame); });
}

const char* icecore_stack_note(const icecore_stack* stack) {
    return stack == nullptr ? "" : stack->named.stack.note.c_str();
}

void icecore_free_stack(icecore_stack* stack) {
    delete stack;
}

icecore_status icecore_read_memory(const icecore_dump* dump, uint64_t address, void* buffer,
                                   size_t size, size_t* got) {
    return guarded([&] { return readMemory(dump, address, buffer, size, got); });
}

}  // extern "C"
