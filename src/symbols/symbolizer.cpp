#include "symbols/symbolizer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/text.h"
#include "symbols/module_reader.h"

namespace icecore {

std::string_view toString(SymbolKind kind) {
    switch (kind) {
    case SymbolKind::none: return "none";
    case SymbolKind::pdb: return "pdb";
    case SymbolKind::dwarf: return "dwarf";
    case SymbolKind::symtab: return "symtab";
    case SymbolKind::exported: return "export";
    case SymbolKind::portable_pdb: return "portable-pdb";
    case SymbolKind::mismatch: return "mismatch";
    }
    return "none";
}

namespace {

/// A module's files are looked for once, by whoever asks first.
struct Slot {
    std::once_flag once;
    std::unique_ptr<ModuleReader> symbols;
    std::atomic<bool> ready{false};  ///< `symbols` is set and may be read without `once`
};

/// "libc" and "libc.so.6" both mean the module "/lib/libc.so.6".
bool moduleMatches(const Module& module, std::string_view pattern) {
    return matchesWildcard(module.fileName(), pattern) ||
           matchesWildcard(module.shortName(), pattern);
}

/// Answers already given. Stacks of many threads share most of their frames.
class AnswerCache {
public:
    [[nodiscard]] std::optional<Symbolization> find(std::uint64_t address, bool isReturn) const {
        const Shard& shard = shardOf(address);
        const std::scoped_lock lock(shard.mutex);
        const auto found = shard.answers.find(key(address, isReturn));
        if (found == shard.answers.end()) return std::nullopt;
        return found->second;
    }
    void add(std::uint64_t address, bool isReturn, const Symbolization& answer) {
        Shard& shard = shardOf(address);
        const std::scoped_lock lock(shard.mutex);
        if (shard.answers.size() >= most) shard.answers.clear();
        shard.answers.insert_or_assign(key(address, isReturn), answer);
    }

private:
    static constexpr std::size_t most = 1U << 14;
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<std::uint64_t, Symbolization> answers;
    };
    /// The two topmost bits of every address that a CPU accepts are the same.
    static std::uint64_t key(std::uint64_t address, bool isReturn) {
        return address ^ (isReturn ? std::uint64_t{1} << 62 : 0);
    }
    [[nodiscard]] const Shard& shardOf(std::uint64_t address) const {
        return shards_[(address >> 4) % shards_.size()];
    }
    [[nodiscard]] Shard& shardOf(std::uint64_t address) {
        return shards_[(address >> 4) % shards_.size()];
    }
    std::array<Shard, 16> shards_;
};

}  // namespace

struct Symbolizer::State {
    State(const Process& target, SymbolOptions chosen)
        : process(&target),
          options(std::move(chosen)),
          count(target.modules.size()),
          slots(std::make_unique<Slot[]>(count)) {}

    const Process* process;
    SymbolOptions options;
    std::size_t count;
    std::unique_ptr<Slot[]> slots;
    AnswerCache cache;

    [[nodiscard]] Slot* slotOf(const Module& module) const {
        const Module* first = process->modules.items.data();
        const auto index = static_cast<std::size_t>(&module - first);
        return &module < first || index >= count ? nullptr : &slots[index];
    }

    [[nodiscard]] const ModuleReader* symbolsOf(const Module& module) const {
        Slot* slot = slotOf(module);
        if (slot == nullptr) return nullptr;
        std::call_once(slot->once, [&] {
            slot->symbols = openModuleReader(*process, module, options);
            slot->ready.store(true, std::memory_order_release);
        });
        return slot->symbols.get();
    }

    [[nodiscard]] static Symbol symbolOf(const ModuleReader::Named& named, const Module& module,
                                         std::uint64_t bias) {
        return {named.name, &module, named.address + bias, named.size, named.function};
    }
};

Symbolizer::Symbolizer(const Process& process, SymbolOptions options)
    : state_(std::make_unique<State>(process, std::move(options))) {}
Symbolizer::~Symbolizer() = default;

Symbolization Symbolizer::symbolize(std::uint64_t address, bool isReturnAddress) const {
    if (auto known = state_->cache.find(address, isReturnAddress)) return *known;
    Symbolization result;
    // The call that ends a module returns to the first byte behind it.
    const std::uint64_t lookUp = isReturnAddress && address != 0 ? address - 1 : address;
    result.module = state_->process->moduleAt(lookUp);
    if (result.module != nullptr) {
        result.moduleOffset = address - result.module->range.begin();
        if (const ModuleReader* symbols = state_->symbolsOf(*result.module)) {
            auto located = symbols->locate(address - symbols->bias(), isReturnAddress);
            result.frames = std::move(located.frames);
            result.kind = located.kind;
        }
    }
    state_->cache.add(address, isReturnAddress, result);
    return result;
}

std::optional<Symbol> Symbolizer::nearestSymbol(std::uint64_t address) const {
    const Module* module = state_->process->moduleAt(address);
    const ModuleReader* symbols = module != nullptr ? state_->symbolsOf(*module) : nullptr;
    if (symbols == nullptr) return std::nullopt;
    const std::uint64_t bias = symbols->bias();
    const auto named = symbols->nearest(address - bias);
    if (!named) return std::nullopt;
    return State::symbolOf(*named, *module, bias);
}

std::vector<Symbol> Symbolizer::find(std::string_view modulePattern, std::string_view namePattern,
                                     std::size_t limit) const {
    std::vector<Symbol> found;
    for (const Module& module : state_->process->modules) {
        if (found.size() >= limit) break;
        if (!moduleMatches(module, modulePattern)) continue;
        const ModuleReader* symbols = state_->symbolsOf(module);
        if (symbols == nullptr) continue;
        std::vector<ModuleReader::Named> names;
        symbols->find(namePattern, limit - found.size(), names);
        for (const auto& named : names)
            found.push_back(State::symbolOf(named, module, symbols->bias()));
    }
    return found;
}

std::optional<Symbol> Symbolizer::byName(std::string_view text) const {
    const std::size_t mark = text.find('!');
    const std::string_view modulePattern =
        mark == std::string_view::npos ? std::string_view("*") : text.substr(0, mark);
    const std::string_view name = mark == std::string_view::npos ? text : text.substr(mark + 1);
    if (name.empty()) return std::nullopt;
    for (const Module& module : state_->process->modules) {
        if (!moduleMatches(module, modulePattern)) continue;
        const ModuleReader* symbols = state_->symbolsOf(module);
        if (symbols == nullptr) continue;
        if (const auto named = symbols->byName(name))
            return State::symbolOf(*named, module, symbols->bias());
    }
    return std::nullopt;
}

const ModuleSymbols& Symbolizer::module(const Module& module) const {
    static const ModuleSymbols nothing;
    const ModuleReader* symbols = state_->symbolsOf(module);
    return symbols != nullptr ? symbols->info() : nothing;
}

const ModuleReader* Symbolizer::reader(const Module& module) const {
    return state_->symbolsOf(module);
}

const ModuleSymbols* Symbolizer::loadedModule(const Module& module) const {
    const Slot* slot = state_->slotOf(module);
    if (slot == nullptr || !slot->ready.load(std::memory_order_acquire)) return nullptr;
    return &slot->symbols->info();
}

void Symbolizer::prefetch(unsigned threads,
                          const std::function<bool(const Module&)>& wanted) const {
    std::atomic<std::size_t> next{0};
    const Progress* progress = state_->options.locator.progress;
    const auto work = [&] {
        while (progress == nullptr || !progress->cancelled()) {
            const std::size_t index = next.fetch_add(1);
            if (index >= state_->count) return;
            const Module& module = state_->process->modules[index];
            if (wanted(module)) (void)state_->symbolsOf(module);
        }
    };
    std::vector<std::thread> workers;
    const std::size_t most = std::min<std::size_t>(threads, state_->count);
    for (std::size_t i = 1; i < most; ++i)
        workers.emplace_back(work);
    work();
    for (std::thread& worker : workers)
        worker.join();
}

void Symbolizer::reload(SymbolOptions options) {
    state_ = std::make_unique<State>(*state_->process, std::move(options));
}

const SymbolOptions& Symbolizer::options() const {
    return state_->options;
}

}  // namespace icecore
