#include "monitor/event_source.h"

#include <algorithm>

namespace icecore::monitor {

bool isEvent(const Trigger& trigger) {
    return std::holds_alternative<ProcessExit>(trigger) ||
           std::holds_alternative<ExceptionSeen>(trigger) ||
           std::holds_alternative<SignalSeen>(trigger) ||
           std::holds_alternative<DebugOutput>(trigger) ||
           std::holds_alternative<ModuleChange>(trigger) ||
           std::holds_alternative<ThreadChange>(trigger);
}

bool needsEvents(const WatchPlan& plan) {
    return std::ranges::any_of(plan.triggers, isEvent);
}

bool isAbout(const Trigger& trigger, const Happening& happening) {
    if (std::holds_alternative<ProcessExit>(trigger)) return happening.kind == HappeningKind::exit;
    if (const auto* exception = std::get_if<ExceptionSeen>(&trigger)) {
        // What nobody handles has its first chance too.
        return happening.kind == HappeningKind::exception &&
               (happening.last || exception->chance == Chance::first);
    }
    if (const auto* signal = std::get_if<SignalSeen>(&trigger)) {
        return happening.signal != 0 &&
               std::ranges::find(signal->numbers, happening.signal) != signal->numbers.end();
    }
    if (std::holds_alternative<DebugOutput>(trigger))
        return happening.kind == HappeningKind::output;
    if (const auto* module = std::get_if<ModuleChange>(&trigger)) {
        return happening.kind ==
               (module->unload ? HappeningKind::moduleUnloaded : HappeningKind::moduleLoaded);
    }
    if (const auto* thread = std::get_if<ThreadChange>(&trigger)) {
        return happening.kind ==
               (thread->exit ? HappeningKind::threadEnded : HappeningKind::threadStarted);
    }
    return false;
}

}  // namespace icecore::monitor
