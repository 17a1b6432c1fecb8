#include "views/analysis_json.h"

#include "base/text.h"
#include "base/time_text.h"

namespace icecore {

namespace {

void addText(Json& to, const char* name, std::string_view text) {
    if (!text.empty()) to[name] = text;
}

Json hexList(const std::vector<std::uint64_t>& values) {
    Json list = Json::array();
    for (const std::uint64_t value : values)
        list.push_back(hex(value));
    return list;
}

Json dumpJson(const Provenance& from) {
    Json json = {{"path", from.path}, {"format", from.format}};
    addText(json, "type", from.type);
    json["bytes"] = from.bytes;
    if (from.time) json["time"] = isoTime(*from.time);
    addText(json, "tool", from.tool);
    return json;
}

Json systemJson(const SystemInfo& system) {
    Json json = {{"os", toString(system.os)}};
    addText(json, "version", system.version);
    addText(json, "distribution", system.distribution);
    json["arch"] = toString(system.arch);
    if (system.cpuCount > 0) json["cpus"] = system.cpuCount;
    return json;
}

Json processJson(const Process& process) {
    Json json = {{"pid", process.pid}};
    if (process.parentPid != 0) json["parent_pid"] = process.parentPid;
    addText(json, "name", process.name);
    addText(json, "executable", process.executable);
    if (!process.commandLine.empty()) json["command_line"] = process.commandLine;
    if (process.started) json["started"] = isoTime(*process.started);
    return json;
}

Json exceptionJson(const Exception& exception, const Analysis& analysis) {
    Json json = {{"code", hex(exception.code)}};
    addText(json, "name", analysis.exceptionName);
    addText(json, "text", analysis.exceptionText);
    json["address"] = hex(exception.address);
    json["thread"] = exception.threadId;
    if (exception.firstChance) json["first_chance"] = *exception.firstChance;
    if (!exception.parameters.empty()) json["parameters"] = hexList(exception.parameters);
    addText(json, "signal_code", analysis.exceptionCodeName);
    if (exception.sender) json["sender"] = *exception.sender;
    if (const auto& fault = analysis.fault) {
        if (fault->access != AccessKind::unknown) json["access"] = toString(fault->access);
        if (fault->address) json["fault_address"] = hex(*fault->address);
        if (fault->instruction) {
            const Instruction& instruction = *fault->instruction;
            json["instruction"] = instruction.operands.empty()
                                      ? instruction.mnemonic
                                      : instruction.mnemonic + " " + instruction.operands;
        }
        addText(json, "operand", fault->operand);
        addText(json, "registers", fault->registers);
        if (fault->strayJump) json["stray_jump"] = true;
        if (fault->oneBitFrom) json["one_bit_from"] = hex(*fault->oneBitFrom);
        addText(json, "patched_code", fault->patchedCode);
    } else if (exception.faultAddress) {
        json["fault_address"] = hex(*exception.faultAddress);
    }
    return json;
}

Json frameJson(const NamedFrame& frame, std::size_t index) {
    Json json = {{"index", index}, {"pc", hex(frame.pc)}, {"sp", hex(frame.sp)}};
    if (frame.module != nullptr) {
        json["module"] = frame.module->fileName();
        json["module_offset"] = hex(frame.moduleOffset);
    }
    if (!frame.function.empty()) {
        json["function"] = frame.function;
        json["function_offset"] = hex(frame.functionOffset);
    }
    addText(json, "file", frame.file);
    if (frame.line != 0) json["line"] = frame.line;
    json["inline"] = frame.trust == Trust::inlined;
    // The schema's words for trust are few and final: a frame that the processor vouches for has
    // its own field.
    const bool vouched = frame.trust == Trust::shadow_stack;
    json["trust"] = toString(vouched ? Trust::frame_pointer : frame.trust);
    if (vouched) json["shadow_stack"] = true;
    if (frame.signalFrame) json["signal_frame"] = true;
    return json;
}

Json threadJson(const Process& process, const Analysis& analysis, std::size_t index) {
    const NamedStack& stack = analysis.stacks[index];
    const Thread* thread = process.thread(stack.threadId);
    Json json = {{"id", stack.threadId}};
    if (thread != nullptr) addText(json, "name", thread->name);
    json["crashed"] = process.exception && process.exception->threadId == stack.threadId;
    if (index < analysis.activities.size()) addText(json, "activity", analysis.activities[index]);
    Json frames = Json::array();
    for (std::size_t i = 0; i < stack.frames.size(); ++i)
        frames.push_back(frameJson(stack.frames[i], i));
    json["frames"] = std::move(frames);
    json["stack_end"] = toString(stack.stack.end);
    addText(json, "stack_note", stack.stack.note);
    return json;
}

Json moduleJson(const Module& module, const Analysis& analysis, std::size_t index) {
    Json json = {{"name", module.fileName()},
                 {"path", module.path},
                 {"base", hex(module.range.begin())},
                 {"size", module.range.size()}};
    addText(json, "version", module.version);
    if (module.timestamp != 0) json["timestamp"] = hex(module.timestamp);
    const std::string id = module.id.text();
    if (module.id.kind == ModuleId::Kind::build_id) addText(json, "id", id);
    if (module.timestamp != 0)  // as symbol servers spell it: time stamp and size of the image
        json["id"] = hexDigits(module.timestamp, 8) + hexDigits(module.imageSize, 1);
    addText(json, "debug_file", module.debugFile);
    addText(json, "debug_id", id);
    if (index < analysis.symbols.size()) json["symbols"] = toString(analysis.symbols[index]);
    return json;
}

Json verdictJson(const Verdict& verdict) {
    Json json = {{"summary", verdict.summary}, {"bucket", verdict.bucket}};
    addText(json, "kind", verdict.kind);
    addText(json, "hash", verdict.hash);
    addText(json, "symbol_name", verdict.symbolName);
    addText(json, "module_name", verdict.moduleName);
    addText(json, "image_name", verdict.imageName);
    if (verdict.followupIp) json["followup_ip"] = hex(*verdict.followupIp);
    if (verdict.thread) json["thread"] = *verdict.thread;
    if (verdict.blamedFrame) json["frame"] = *verdict.blamedFrame;
    json["healthy"] = verdict.healthy;
    return json;
}

}  // namespace

Json analysisJson(const Snapshot& snapshot, const Analysis& analysis) {
    const Process& process = *snapshot.process;
    Json json = {{"schema", "icecore.analysis/1"},
                 {"dump", dumpJson(snapshot.provenance)},
                 {"system", systemJson(process.system)},
                 {"process", processJson(process)}};
    if (analysis.bugCheck && process.exception) {
        const BugCheck& check = *analysis.bugCheck;
        Json& told = json["bugcheck"];
        told = {{"code", hex(check.code)},
                {"name", check.name},
                {"text", check.text},
                {"parameters", hexList(process.exception->parameters)}};
        if (check.irql) told["irql"] = hex(*check.irql);
        if (check.trapFrame) told["trap_frame"] = hex(*check.trapFrame);
        addText(told, "driver", check.driver);
    } else if (process.exception) {
        json["exception"] = exceptionJson(*process.exception, analysis);
    }
    Json threads = Json::array();
    for (std::size_t i = 0; i < analysis.stacks.size(); ++i)
        threads.push_back(threadJson(process, analysis, i));
    json["threads"] = std::move(threads);
    Json modules = Json::array();
    for (std::size_t i = 0; i < process.modules.size(); ++i)
        modules.push_back(moduleJson(process.modules[i], analysis, i));
    json["modules"] = std::move(modules);
    json["verdict"] = verdictJson(analysis.verdict);
    Json findings = Json::array();
    for (const Finding& finding : analysis.findings) {
        findings.push_back({{"claim", finding.claim},
                            {"evidence", finding.evidence},
                            {"confidence", toString(finding.confidence)}});
    }
    json["findings"] = std::move(findings);
    // What libraries of macOS left for its crash reporter, line by line.
    if (const SharedBytes* words = snapshot.attachment("macos/crash_info")) {
        Json& lines = json["crash_info"] = Json::array();
        for (const std::string_view line : split(words->text(), '\n')) {
            if (!line.empty()) lines.push_back(printable(line));
        }
    }
    json["issues"] = issuesJson(analysis.issues);
    return json;
}

}  // namespace icecore
