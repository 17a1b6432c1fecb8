// One test per MINIDUMP_TYPE flag: a real process is dumped without and with it, as a minidump and
// as a core, and the dumps change as docs/dump-types.md says.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "model/linux_maps.h"
#include "support/frozen_dump.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

constexpr std::string_view environmentMark = "ICECORE_MARK=environment-secret-42";

/// The same moment in both formats.
struct Dumps {
    Snapshot mini, core;
    std::vector<std::byte> miniBytes, coreBytes;
    SavePlan plan;
};

bool holds(const Snapshot& dump, std::uint64_t address, std::uint64_t value) {
    return dump.process && dump.process->memory->readInteger<std::uint64_t>(address) == value;
}
bool lacks(const Snapshot& dump, std::uint64_t address) {
    return dump.process && !dump.process->memory->readInteger<std::uint64_t>(address);
}
bool contains(const std::vector<std::byte>& bytes, std::string_view text) {
    return !std::ranges::search(bytes, std::as_bytes(std::span(text))).empty();
}
bool containsUtf16(const std::vector<std::byte>& bytes, std::string_view text) {
    std::string wide;
    for (const char c : text)
        wide += {c, '\0'};
    return contains(bytes, wide);
}
const Module* moduleNamed(const Snapshot& dump, std::string_view name) {
    for (const Module& module : dump.process->modules) {
        if (module.fileName().starts_with(name)) return &module;
    }
    return nullptr;
}

class DumpTypes : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(victim_.until("ready"));
        data_ = victim_.number("data");
        bss_ = victim_.number("bss");
        private_ = victim_.number("private");
        shared_ = victim_.number("shared");
        dontDump_ = victim_.number("dontdump");
        tls_ = victim_.number("tls");
        code_ = victim_.number("code");
        secret_ = victim_.number("stack_secret");
        heapNear_ = victim_.number("heap_near");
        heapFar_ = victim_.number("heap_far");
        environment_ = victim_.number("environment");
        ASSERT_NE(environment_, 0U);
        ASSERT_NE(secret_, 0U);
    }

    Dumps take(std::string_view type) {
        Dumps dumps;
        const auto frozen = freezeForTest(victim_.pid(), *parseDumpType(type));
        if (!frozen) return dumps;
        dumps.plan = frozen->plan();
        const auto mini = writeDump(frozen->snapshot(), frozen->plan(), "minidump");
        const auto core = writeDump(frozen->snapshot(), frozen->plan(), "core");
        EXPECT_TRUE(mini.report.unread.empty());
        EXPECT_TRUE(core.report.unread.empty())
            << hex(core.report.unread[0].begin()) << " " << hex(core.report.unread[0].end());
        dumps.mini = readDump(mini);
        dumps.core = readDump(core);
        dumps.miniBytes = mini.bytes;
        dumps.coreBytes = core.bytes;
        for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
            EXPECT_FALSE(dump->issues.lossy())
                << type << ": " << dump->issues.items()[0].describe();
            // Whatever is asked for, what the program excludes stays out, and threads stay in.
            EXPECT_TRUE(lacks(*dump, dontDump_)) << type;
            EXPECT_EQ(dump->process->threads.size(), 2U) << type;
        }
        return dumps;
    }

    static std::string exclusivePath() {
        return "/tmp/icecore-dump-type-" + std::to_string(::getpid());
    }

    Victim victim_{"dump_types", {exclusivePath()}, [] {
                       ::putenv(const_cast<char*>(environmentMark.data()));
                   }};
    std::uint64_t data_ = 0, bss_ = 0, private_ = 0, shared_ = 0, dontDump_ = 0, tls_ = 0,
                  code_ = 0, secret_ = 0, heapNear_ = 0, heapFar_ = 0, environment_ = 0;

    static constexpr std::uint64_t dataValue = 0x1cec04e0da7a0001, bssValue = 0x1cec04e0b5500001,
                                   tlsValue = 0x1cec04e071500001, privateValue = 0x1cec04e0b41f0001,
                                   sharedValue = 0x1cec04e054a4ed01, nearValue = 0x1cec04e04ea90001,
                                   farValue = 0x1cec04e04ea90002;
    static std::uint64_t secretValue() {
        std::uint64_t value = 0;
        std::memcpy(&value, "stack-se", sizeof value);
        return value;
    }
};

TEST_F(DumpTypes, Normal) {
    const Dumps dumps = take("MiniDumpNormal");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, secret_, secretValue())) << "stacks are saved";
        EXPECT_TRUE(lacks(*dump, data_));
        EXPECT_TRUE(lacks(*dump, private_));
        EXPECT_TRUE(lacks(*dump, shared_));
        EXPECT_TRUE(lacks(*dump, heapFar_));
        const Module* libc = moduleNamed(*dump, "libc.so");
        ASSERT_NE(libc, nullptr);
        EXPECT_FALSE(libc->id.bytes.empty());
        EXPECT_EQ(dump->process->memory->readInteger<std::uint32_t>(libc->range.begin()),
                  0x464c457fU);
        for (const Thread& thread : dump->process->threads) {
            ASSERT_TRUE(thread.context);
            const std::uint64_t pc = thread.context->registers.pc();
            EXPECT_TRUE(dump->process->memory->readInteger<std::uint64_t>(pc)) << "code around pc";
        }
        EXPECT_TRUE(std::ranges::any_of(dump->process->threads,
                                        [](const Thread& t) { return t.name == "a worker"; }));
    }
    EXPECT_LT(dumps.miniBytes.size(), 2U << 20);
}

TEST_F(DumpTypes, WithDataSegs) {
    const Dumps dumps = take("WithDataSegs");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, data_, dataValue));
        EXPECT_TRUE(holds(*dump, bss_, bssValue));
        EXPECT_TRUE(lacks(*dump, private_));
    }
}

TEST_F(DumpTypes, WithFullMemory) {
    const Dumps dumps = take("WithFullMemory");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, data_, dataValue));
        EXPECT_TRUE(holds(*dump, bss_, bssValue));
        EXPECT_TRUE(holds(*dump, private_, privateValue));
        EXPECT_TRUE(holds(*dump, shared_, sharedValue));
        EXPECT_TRUE(holds(*dump, heapFar_, farValue));
        EXPECT_TRUE(dump->process->memory->readInteger<std::uint64_t>(code_));
    }
}

TEST_F(DumpTypes, WithHandleData) {
    EXPECT_TRUE(take("Normal").mini.process->handles.empty());
    const Dumps dumps = take("WithHandleData");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        const auto& handles = dump->process->handles;
        EXPECT_EQ(handles.coverage, Coverage::complete);
        const auto found = std::ranges::find(handles, victim_.number("descriptor"), &Handle::value);
        ASSERT_NE(found, handles.end());
        EXPECT_EQ(found->type, "File");
        EXPECT_TRUE(found->name.ends_with("/dump_types")) << found->name;
        EXPECT_EQ(found->position, 123U);
    }
}

TEST_F(DumpTypes, FilterMemory) {
    EXPECT_TRUE(contains(take("Normal").miniBytes, "stack-secret"));
    const Dumps dumps = take("FilterMemory");
    EXPECT_FALSE(contains(dumps.miniBytes, "stack-secret"));
    EXPECT_FALSE(contains(dumps.coreBytes, "stack-secret"));
    EXPECT_FALSE(contains(dumps.miniBytes, "environment-secret-42") &&
                 dumps.plan.arguments == false);
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, secret_, 0)) << "a word that points nowhere becomes zero";
        EXPECT_NE(dump->provenance.type.find("FilterMemory"), std::string::npos)
            << dump->provenance.type;
        // Return addresses stay: somewhere above the stack pointer is one into the program.
        const Module* program = moduleNamed(*dump, "dump_types");
        ASSERT_NE(program, nullptr);
        bool found = false;
        for (const Thread& thread : dump->process->threads) {
            const std::uint64_t sp = thread.context->registers.sp();
            for (std::uint64_t at = sp; at < sp + 4096; at += 8) {
                const auto word = dump->process->memory->readInteger<std::uint64_t>(at);
                found = found || (word && program->range.contains(*word));
            }
        }
        EXPECT_TRUE(found);
    }
}

TEST_F(DumpTypes, ScanMemory) {
    const Dumps normal = take("Normal");
    ASSERT_NE(moduleNamed(normal.mini, "libm.so"), nullptr);
    const Dumps dumps = take("ScanMemory");
    EXPECT_EQ(moduleNamed(dumps.mini, "libm.so"), nullptr);
    EXPECT_NE(moduleNamed(dumps.mini, "libc.so"), nullptr);
    EXPECT_NE(moduleNamed(dumps.mini, "dump_types"), nullptr);
    EXPECT_LT(dumps.mini.process->modules.size(), normal.mini.process->modules.size());
    EXPECT_EQ(dumps.mini.process->modules.coverage, Coverage::partial) << "a narrowed list says so";
    // A core's list is that of its mappings; there the unreferenced module loses its headers.
    const Module* libm = moduleNamed(normal.core, "libm.so");
    ASSERT_NE(libm, nullptr);
    EXPECT_TRUE(lacks(dumps.core, libm->range.begin()));
    EXPECT_FALSE(lacks(normal.core, libm->range.begin()));
}

TEST_F(DumpTypes, WithUnloadedModules) {
    EXPECT_EQ(take("Normal").mini.process->unloadedModules.coverage, Coverage::absent);
    const Dumps dumps = take("WithUnloadedModules");
    const auto& gone = dumps.mini.process->unloadedModules;
    EXPECT_EQ(gone.coverage, Coverage::complete);
    ASSERT_EQ(gone.size(), 1U);
    EXPECT_EQ(gone[0].path, exclusivePath());
    EXPECT_EQ(gone[0].range.begin(), victim_.number("deleted"));
    // Their first page is what identifies them: both formats keep it.
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        const auto text = dump->process->memory->readCString(victim_.number("deleted"));
        EXPECT_EQ(text, "deleted file");
    }
}

TEST_F(DumpTypes, WithIndirectlyReferencedMemory) {
    const Dumps normal = take("Normal");
    EXPECT_TRUE(lacks(normal.mini, heapNear_));
    const Dumps dumps = take("WithIndirectlyReferencedMemory");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, heapNear_, nearValue)) << "a stack points there";
        EXPECT_TRUE(lacks(*dump, private_)) << "and nobody there";
    }
    // A core keeps whole pages, a minidump exactly that much.
    EXPECT_TRUE(lacks(dumps.mini, heapNear_ + 1024)) << "no more than 768 bytes ahead";
}

TEST_F(DumpTypes, FilterModulePaths) {
    const std::string directory = target("dump_types").substr(0, target("dump_types").rfind('/'));
    EXPECT_TRUE(containsUtf16(take("Normal").miniBytes, directory));
    const Dumps dumps =
        take("FilterModulePaths|WithHandleData|WithUnloadedModules|WithFullMemoryInfo");
    EXPECT_NE(moduleNamed(dumps.mini, "dump_types"), nullptr);
    for (const Module& module : dumps.mini.process->modules)
        EXPECT_EQ(module.path.find('/'), std::string::npos) << module.path;
    for (const Region& region : dumps.mini.process->regions)
        EXPECT_FALSE(region.name.starts_with('/')) << region.name;
    EXPECT_FALSE(containsUtf16(dumps.miniBytes, directory));
    for (const Region& region : dumps.core.process->regions)
        EXPECT_FALSE(region.name.starts_with('/')) << region.name;
}

TEST_F(DumpTypes, WithProcessThreadData) {
    const Dumps lean = take("WithoutOptionalData");
    EXPECT_TRUE(lacks(lean.mini, tls_));
    EXPECT_TRUE(lacks(lean.mini, environment_));
    const Dumps dumps = take("WithoutOptionalData|WithProcessThreadData");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, tls_, tlsValue));
        EXPECT_EQ(dump->process->memory->readCString(environment_),
                  environmentMark.substr(environmentMark.find('=') + 1));
        EXPECT_TRUE(lacks(*dump, private_));
    }
}

TEST_F(DumpTypes, WithPrivateReadWriteMemory) {
    const Dumps dumps = take("WithPrivateReadWriteMemory");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, private_, privateValue));
        EXPECT_TRUE(holds(*dump, heapFar_, farValue));
        EXPECT_TRUE(holds(*dump, data_, dataValue)) << "written data is private too";
        EXPECT_TRUE(lacks(*dump, shared_));
        EXPECT_TRUE(lacks(*dump, code_ & ~std::uint64_t{4095}));
    }
}

TEST_F(DumpTypes, WithoutOptionalData) {
    const Dumps normal = take("Normal");
    EXPECT_TRUE(contains(normal.miniBytes, environmentMark));
    EXPECT_TRUE(contains(normal.coreBytes, environmentMark));
    const Dumps dumps = take("WithoutOptionalData");
    EXPECT_FALSE(contains(dumps.miniBytes, "environment-secret-42"));
    EXPECT_FALSE(contains(dumps.coreBytes, "environment-secret-42"));
    EXPECT_TRUE(dumps.mini.process->environment.empty());
    EXPECT_TRUE(dumps.mini.process->commandLine.empty());
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, secret_, secretValue())) << "stacks stay";
        const std::uint64_t pc = dump->process->threads[0].context->registers.pc();
        EXPECT_TRUE(lacks(*dump, pc)) << "the code around pc goes";
    }
    EXPECT_LT(dumps.plan.bytes(), normal.plan.bytes());
}

TEST_F(DumpTypes, WithFullMemoryInfo) {
    const auto hasStream = [](const Dumps& dumps) {
        const auto text = formatByName("minidump")->describe(memorySource(dumps.miniBytes, "dump"));
        return text && text->find("MINIDUMP_MEMORY_INFO regions.0") != std::string::npos;
    };
    EXPECT_FALSE(hasStream(take("Normal")));
    const Dumps dumps = take("WithFullMemoryInfo");
    EXPECT_TRUE(hasStream(dumps));
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        const Region* region = dump->process->regionAt(dontDump_);
        ASSERT_NE(region, nullptr);
        EXPECT_TRUE(region->dontDump);
        EXPECT_EQ(region->protection, (Protection{true, true, false, false}));
        const Region* image = dump->process->regionAt(code_);
        ASSERT_NE(image, nullptr);
        EXPECT_EQ(image->kind, RegionKind::image);
        EXPECT_TRUE(image->protection.execute);
    }
}

TEST_F(DumpTypes, WithThreadInfo) {
    const auto hasStream = [](const Dumps& dumps) {
        const auto text = formatByName("minidump")->describe(memorySource(dumps.miniBytes, "dump"));
        return text && text->find("MINIDUMP_THREAD_INFO threadinfo.0") != std::string::npos;
    };
    EXPECT_FALSE(hasStream(take("Normal")));
    const Dumps dumps = take("WithThreadInfo");
    EXPECT_TRUE(hasStream(dumps));
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        for (const Thread& thread : dump->process->threads) {
            EXPECT_TRUE(thread.created);
            EXPECT_TRUE(thread.userTime);
            EXPECT_TRUE(thread.kernelTime);
            EXPECT_TRUE(thread.affinity);
        }
    }
}

TEST_F(DumpTypes, WithCodeSegs) {
    const Dumps normal = take("Normal");
    const std::uint64_t codePage = code_ & ~std::uint64_t{4095};
    EXPECT_TRUE(lacks(normal.mini, codePage));
    const Dumps dumps = take("WithCodeSegs");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_FALSE(lacks(*dump, code_));
        EXPECT_FALSE(lacks(*dump, codePage));
        EXPECT_TRUE(lacks(*dump, data_));
    }
}

TEST_F(DumpTypes, KernelDefault) {
    const Dumps dumps = take("kernel-default");
    for (const Snapshot* dump : {&dumps.mini, &dumps.core}) {
        EXPECT_TRUE(holds(*dump, private_, privateValue));
        EXPECT_TRUE(holds(*dump, shared_, sharedValue)) << "shared memory without a file";
        EXPECT_TRUE(holds(*dump, data_, dataValue));
        EXPECT_TRUE(holds(*dump, heapFar_, farValue));
        const Module* libc = moduleNamed(*dump, "libc.so");
        ASSERT_NE(libc, nullptr);
        EXPECT_FALSE(lacks(*dump, libc->range.begin())) << "the ELF header's page";
        EXPECT_TRUE(lacks(*dump, libc->range.begin() + 4096)) << "and no other of the file";
    }
}

TEST_F(DumpTypes, EveryBitOfTheKernelsFilterByItself) {
    const std::uint64_t deleted = victim_.number("deleted");
    const std::uint64_t sharedFile = victim_.number("shared_file");
    struct Case {
        const char* type;
        bool privateMemory, sharedMemory, privateFile, sharedFile, headers;
    };
    for (const Case& each : {Case{"coredump_filter=0x0", false, false, false, false, false},
                             Case{"coredump_filter=0x1", true, false, false, false, false},
                             Case{"coredump_filter=0x2", false, true, false, false, false},
                             Case{"coredump_filter=0x4", false, false, true, false, true},
                             Case{"coredump_filter=0x8", false, false, false, true, false},
                             Case{"coredump_filter=0x10", false, false, false, false, true},
                             Case{"coredump_filter=0x7f", true, true, true, true, true}}) {
        const Dumps dumps = take(each.type);
        const Module* libc = moduleNamed(dumps.core, "libc.so");
        ASSERT_NE(libc, nullptr) << each.type;
        const std::pair<std::uint64_t, bool> places[] = {
            {private_, each.privateMemory},     {data_, each.privateMemory || each.privateFile},
            {shared_, each.sharedMemory},       {deleted, each.privateFile},
            {code_, each.privateFile},          {sharedFile, each.sharedFile},
            {libc->range.begin(), each.headers}};
        for (const auto& [address, kept] : places)
            EXPECT_EQ(!lacks(dumps.core, address), kept) << each.type << " " << hex(address);
    }
}

TEST_F(DumpTypes, PresetsGrow) {
    const auto size = [&](std::string_view type) { return take(type).miniBytes.size(); };
    const std::size_t triage = size("triage"), mini = size("mini"), heap = size("heap"),
                      full = size("full");
    EXPECT_LT(triage, heap);
    EXPECT_LT(mini, heap);
    EXPECT_LT(heap, full);
    const Dumps lean = take("triage");
    for (const std::string_view secret : {"stack-secret", "environment-secret-42"}) {
        EXPECT_FALSE(contains(lean.miniBytes, secret)) << secret;
        EXPECT_FALSE(contains(lean.coreBytes, secret)) << secret;
    }
}

}  // namespace
}  // namespace icecore::tests
