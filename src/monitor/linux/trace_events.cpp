// Events of a Linux process: what its tracer sees, in the words of the plan.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <map>

#include "base/text.h"
#include "live/traced_process.h"
#include "model/signals.h"
#include "monitor/event_source.h"
#include "monitor/linux/loader_watch.h"
#include "monitor/throw_source.h"

namespace icecore::monitor {

namespace {

/// Signals whose default action is to end the process with a core: signal(7). These are faults, or
/// what programs do to themselves; others (SIGTERM, SIGUSR1…) are everyday business of programs
/// that handle them, and are asked for by number.
constexpr std::uint64_t coreSignals = [] {
    std::uint64_t mask = 0;
    for (const int signal :
         {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS})
        mask |= std::uint64_t{1} << (signal - 1);
    return mask;
}();

template <class Kind>
const Kind* wanted(const WatchPlan& plan) {
    for (const Trigger& trigger : plan.triggers) {
        if (const auto* found = std::get_if<Kind>(&trigger)) return found;
    }
    return nullptr;
}

live::EventWishes wishesOf(const WatchPlan& plan) {
    live::EventWishes wishes;
    for (const Trigger& trigger : plan.triggers) {
        if (const auto* exception = std::get_if<ExceptionSeen>(&trigger)) {
            wishes.deadly = true;
            if (exception->chance == Chance::first) wishes.signals |= coreSignals;
        }
        if (const auto* signal = std::get_if<SignalSeen>(&trigger)) {
            for (const int number : signal->numbers) {
                if (number >= 1 && number <= 64) wishes.signals |= std::uint64_t{1} << (number - 1);
            }
        }
        wishes.exits |= std::holds_alternative<ProcessExit>(trigger);
        wishes.threads |= std::holds_alternative<ThreadChange>(trigger);
        wishes.output |= std::holds_alternative<DebugOutput>(trigger);
    }
    return wishes;
}

/// "exit code 3", "SIGSEGV".
std::string endText(int status) {
    if (WIFSIGNALED(status)) return signalWords(static_cast<std::uint32_t>(WTERMSIG(status))).name;
    return fmt::format("exit code {}", WEXITSTATUS(status));
}

class TraceEvents final : public EventSource {
public:
    TraceEvents(std::unique_ptr<live::TracedProcess> process, const WatchPlan& plan)
        : process_(std::move(process)) {
        const auto* exception = wanted<ExceptionSeen>(plan);
        const bool filtered = !plan.include.empty() || !plan.exclude.empty();
        firstThrows_ = std::ranges::any_of(plan.triggers, [](const Trigger& trigger) {
            const auto* seen = std::get_if<ExceptionSeen>(&trigger);
            return seen != nullptr && seen->chance == Chance::first;
        });
        // Filters on what nobody catches have to know what was thrown.
        throws_ = firstThrows_ || (exception != nullptr && filtered);
        modules_ = wanted<ModuleChange>(plan) != nullptr;
    }

    Result<void> begin() {
        // A program that is just being started loads its libraries later.
        return look(false);
    }

    Result<std::optional<Happening>> next(std::chrono::milliseconds time) override {
        const auto deadline = std::chrono::steady_clock::now() + time;
        for (;;) {
            if (!queue_.empty()) {
                Happening first = std::move(queue_.front());
                queue_.pop_front();
                return first;
            }
            if (standing_) pass();
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            ASSIGN_OR_RETURN(const auto event,
                             process_->next(std::max(left, std::chrono::milliseconds(0))));
            if (!event) {
                if (left.count() <= 0) return std::nullopt;
                continue;
            }
            standing_ = true;
            TRY(understand(*event));
        }
    }

    void pass() override {
        if (!queue_.empty()) return;  // more has happened at this very stop
        if (standing_) process_->pass();
        standing_ = false;
    }

    Result<std::unique_ptr<live::FrozenProcess>> freeze(const live::CaptureOptions& options,
                                                        Progress& progress) override {
        auto frozen = process_->freeze(options, progress);
        if (frozen) {
            // The thread goes on with the others; what else was to be told of this stop is in the
            // same dump.
            standing_ = false;
            queue_.clear();
        }
        return frozen;
    }

private:
    /// Where the dynamic linker and the runtimes are now.
    Result<void> look(bool fresh) {
        sites_.clear();
        loader_.reset();
        if (!throws_ && !modules_) return {};
        loader_.emplace(*process_, fresh);
        if (throws_) {
            // A static program has no dynamic linker to tell of it.
            if (loader_->breakpoint() == 0) addSites({});
            for (const LoadedObject& object : loader_->objects())
                addSites(object);
        }
        return setBreakpoints();
    }

    void addSites(const LoadedObject& object) {
        // The vdso, and the like, have no file and throw nothing.
        if (!object.name.empty() && object.name.front() != '/') return;
        const auto source = openSource(process_->openablePath(object.name));
        if (!source) return;
        const auto image = ElfImage::open(*source);
        if (!image) return;
        std::uint64_t bias = object.bias;
        if (object.name.empty() && object.dynamic == 0) {
            // Not from the linker's list: the entry point says where the program lies.
            const auto entry = process_->view().auxvValue(9);  // AT_ENTRY
            if (!entry) return;
            bias = *entry - (*image)->entry();
        }
        const SymbolTable symbols({*image});
        for (const auto& runtime : throwSources()) {
            for (const std::uint64_t site : runtime->throwSites(symbols))
                sites_.emplace(bias + site, runtime.get());
        }
    }

    Result<void> setBreakpoints() {
        std::vector<std::uint64_t> addresses;
        if (loader_ && loader_->breakpoint() != 0) addresses.push_back(loader_->breakpoint());
        for (const auto& [address, runtime] : sites_) {
            // A process with more copies of a runtime than there are registers: the others are not
            // seen.
            if (addresses.size() < process_->breakpointRoom()) addresses.push_back(address);
        }
        return process_->setBreakpoints(addresses);
    }

    Result<void> understand(const live::ProcessEvent& event) {
        using Kind = live::ProcessEventKind;
        switch (event.kind) {
        case Kind::signal: addSignal(event); break;
        case Kind::breakpoint: return atBreakpoint(event);
        case Kind::replaced: lastThrown_.clear(); return look(true);
        case Kind::exiting:
            add({HappeningKind::exit, event.thread, 0, true, endCode(event.status),
                 "process ended: " + endText(event.status)});
            break;
        case Kind::threadStarted:
            add({HappeningKind::threadStarted,
                 event.thread,
                 0,
                 false,
                 {},
                 fmt::format("thread {} started", event.thread)});
            break;
        case Kind::output:
            add({HappeningKind::output, event.thread, 0, false, "output",
                 std::string(trim(event.text))});
            break;
        case Kind::threadEnded:
            lastThrown_.erase(event.thread);
            add({HappeningKind::threadEnded,
                 event.thread,
                 0,
                 false,
                 {},
                 fmt::format("thread {} ended", event.thread)});
            break;
        }
        return {};
    }

    static std::string endCode(int status) {
        return WIFSIGNALED(status) ? signalWords(static_cast<std::uint32_t>(WTERMSIG(status))).name
                                   : std::to_string(WEXITSTATUS(status));
    }

    void addSignal(const live::ProcessEvent& event) {
        const auto number = static_cast<std::uint32_t>(event.signal);
        const SignalWords words = signalWords(number);
        const SignalCodeWords code = signalCodeWords(number, event.signalCode);
        std::string text = words.name;
        if (!code.name.empty()) text += fmt::format(" ({}: {})", code.name, code.text);
        if (event.sender) text += fmt::format(" by pid {}", *event.sender);
        text += fmt::format(" in thread {}", event.thread);
        // abort() by std::terminate: what was thrown says more than the signal.
        if (const auto thrown = lastThrown_.find(event.thread);
            thrown != lastThrown_.end() && event.signal == SIGABRT && event.deadly)
            text += ", after throwing " + thrown->second;
        const bool exception = event.deadly || (coreSignals >> (number - 1) & 1U) != 0;
        add({exception ? HappeningKind::exception : HappeningKind::signal, event.thread,
             event.signal, event.deadly, words.name, std::move(text)});
    }

    Result<void> atBreakpoint(const live::ProcessEvent& event) {
        if (loader_ && event.address == loader_->breakpoint()) return modulesChanged(event.thread);
        const auto site = sites_.find(event.address);
        if (site == sites_.end()) return {};
        const auto memory = process_->view().memory;
        const auto thrown = site->second->thrown(event.registers, *memory);
        const std::string type = thrown ? thrown->type : std::string("unknown type");
        std::string text =
            thrown ? thrown->text() : fmt::format("{} exception", site->second->language());
        if (lastThrown_.size() > mostRemembered) lastThrown_.clear();
        lastThrown_[event.thread] = text;
        if (firstThrows_)
            add({HappeningKind::exception, event.thread, 0, false, type, std::move(text)});
        return {};
    }

    Result<void> modulesChanged(std::uint64_t thread) {
        const auto change = loader_->changes(*process_);
        if (!change) return {};
        for (const LoadedObject& object : change->loaded) {
            if (modules_ && !object.name.empty())
                add({HappeningKind::moduleLoaded, thread, 0, false,
                     std::string(baseName(object.name)), "loaded " + object.name});
        }
        for (const LoadedObject& object : change->unloaded) {
            if (modules_ && !object.name.empty())
                add({HappeningKind::moduleUnloaded, thread, 0, false,
                     std::string(baseName(object.name)), "unloaded " + object.name});
        }
        if (!throws_ || (change->loaded.empty() && change->unloaded.empty())) return {};
        if (change->unloaded.empty()) {
            for (const LoadedObject& object : change->loaded)
                addSites(object);
        } else {
            sites_.clear();
            for (const LoadedObject& object : loader_->objects())
                addSites(object);
        }
        return setBreakpoints();
    }

    static std::string_view baseName(std::string_view path) {
        return path.substr(path.rfind('/') + 1);
    }

    void add(Happening happening) { queue_.push_back(std::move(happening)); }

    static constexpr std::size_t mostRemembered = 10'000;
    std::unique_ptr<live::TracedProcess> process_;
    bool firstThrows_ = false, throws_ = false, modules_ = false;
    std::optional<LoaderWatch> loader_;
    std::map<std::uint64_t, const ThrowSource*> sites_;  ///< by runtime address
    std::map<std::uint64_t, std::string> lastThrown_;    ///< by thread
    std::deque<Happening> queue_;                        ///< of the stop at hand
    bool standing_ = false;
};

}  // namespace

Result<std::unique_ptr<EventSource>> openEventSource(std::uint64_t pid, const WatchPlan& plan) {
    ASSIGN_OR_RETURN(auto process, live::traceProcess(pid, wishesOf(plan)));
    auto events = std::make_unique<TraceEvents>(std::move(process), plan);
    TRY(events->begin());
    return std::unique_ptr<EventSource>(std::move(events));
}

}  // namespace icecore::monitor
