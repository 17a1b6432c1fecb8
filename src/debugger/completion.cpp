#include "debugger/completion.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "debugger/command.h"

namespace icecore::debugger {

namespace {

constexpr std::size_t mostSymbols = 1000;

bool beginsWith(std::string_view text, std::string_view start) {
    return text.size() >= start.size() && equalsIgnoreCase(text.substr(0, start.size()), start);
}

/// The word under completion: from the last blank or operator on.
std::string_view lastWord(std::string_view line) {
    const auto belongs = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '!' ||
               c == '.' || c == '@' || c == '$' || c == ':' || c == '-';
    };
    std::size_t begin = line.size();
    while (begin > 0 && belongs(line[begin - 1]))
        --begin;
    return line.substr(begin);
}

void addSymbols(const Session& session, std::string_view word, Completion& completion) {
    const std::size_t bang = word.find('!');
    const Module* module = session.moduleNames().find(word.substr(0, bang));
    if (module == nullptr) return;
    const std::string pattern = std::string(word.substr(bang + 1)) + "*";
    for (const Symbol& symbol :
         session.symbolizer().find(module->fileName(), pattern, mostSymbols)) {
        if (symbol.module != module) continue;
        // Parameters are not typed.
        const std::string name = symbol.name.substr(0, symbol.name.find('('));
        completion.candidates.push_back(std::string(word.substr(0, bang + 1)) + name);
    }
}

}  // namespace

Completion complete(const Session& session, std::string_view line) {
    Completion completion;
    const std::size_t semicolon = line.rfind(';');
    std::string_view command =
        semicolon == std::string_view::npos ? line : line.substr(semicolon + 1);
    command.remove_prefix(std::min(command.find_first_not_of(' '), command.size()));
    const std::string_view word = lastWord(command);
    completion.wordLength = word.size();
    if (word.data() == command.data() && word.size() == command.size()) {
        for (const Command& row : allCommands()) {
            if (beginsWith(row.name, word)) completion.candidates.emplace_back(row.name);
        }
    } else if (word.find('!') != std::string_view::npos && !word.starts_with('!')) {
        addSymbols(session, word, completion);
    } else if (word.starts_with('@')) {
        for (const RegisterInfo& info : archInfo(session.arch()).registers) {
            if (beginsWith(info.name, word.substr(1)))
                completion.candidates.push_back("@" + std::string(info.name));
        }
    } else if (command.starts_with(".help")) {
        for (const Command& row : allCommands()) {
            if (beginsWith(row.name, word)) completion.candidates.emplace_back(row.name);
        }
    } else {
        for (const Module& module : session.process().modules) {
            const std::string& name = session.moduleNames().name(module);
            if (beginsWith(name, word)) completion.candidates.push_back(name);
        }
    }
    std::ranges::sort(completion.candidates);
    const auto twice = std::ranges::unique(completion.candidates);
    completion.candidates.erase(twice.begin(), twice.end());
    return completion;
}

}  // namespace icecore::debugger
