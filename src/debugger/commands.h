// The functions of the command table, by the file that holds them.
#pragma once

#include "debugger/command.h"

namespace icecore::debugger {

// stack_commands.cpp
Result<void> showStack(CommandCall& call);
Result<void> selectFrame(CommandCall& call);

// stack_survey.cpp
Result<void> uniqueStacks(CommandCall& call);
Result<void> findInStacks(CommandCall& call);

// thread_commands.cpp
Result<void> listThreads(CommandCall& call);
Result<void> showProcess(CommandCall& call);
Result<void> threadTimes(CommandCall& call);

// register_commands.cpp
Result<void> showRegisters(CommandCall& call);
Result<void> useException(CommandCall& call);
Result<void> useContextRecord(CommandCall& call);

// event_commands.cpp
Result<void> showException(CommandCall& call);
Result<void> lastEvent(CommandCall& call);
Result<void> showBugCheck(CommandCall& call);
Result<void> showOutline(CommandCall& call);
Result<void> showTarget(CommandCall& call);
Result<void> showTimes(CommandCall& call);

// machine_commands.cpp
Result<void> effectiveMachine(CommandCall& call);
Result<void> switchSides(CommandCall& call);
Result<void> showBothStacks(CommandCall& call);
Result<void> showWowHelp(CommandCall& call);

// module_commands.cpp
Result<void> listModules(CommandCall& call);

// symbol_path_commands.cpp
Result<void> reloadSymbols(CommandCall& call);
Result<void> symbolNoise(CommandCall& call);
Result<void> symbolPath(CommandCall& call);
Result<void> fixSymbolPath(CommandCall& call);

// symbol_commands.cpp
Result<void> examineSymbols(CommandCall& call);
Result<void> nearestSymbols(CommandCall& call);

// type_commands.cpp
Result<void> displayType(CommandCall& call);

// variable_commands.cpp
Result<void> displayVariables(CommandCall& call);

// code_commands.cpp
Result<void> disassemble(CommandCall& call);
Result<void> disassembleBack(CommandCall& call);

// function_listing.cpp
Result<void> disassembleFunction(CommandCall& call);

// display_commands.cpp
Result<void> displayMemory(CommandCall& call);
Result<void> displayAgain(CommandCall& call);

// pointer_display.cpp
Result<void> displayPointers(CommandCall& call);

// search_command.cpp
Result<void> searchMemory(CommandCall& call);

// expression_commands.cpp
Result<void> evaluateExpression(CommandCall& call);
Result<void> evaluateCppExpression(CommandCall& call);
Result<void> showFormats(CommandCall& call);
Result<void> setRadix(CommandCall& call);

// address_command.cpp
Result<void> describeAddresses(CommandCall& call);

// process_commands.cpp
Result<void> processEnvironment(CommandCall& call);
Result<void> threadEnvironment(CommandCall& call);

// handle_command.cpp
Result<void> listHandles(CommandCall& call);

// error_commands.cpp
Result<void> explainError(CommandCall& call);
Result<void> lastError(CommandCall& call);

// source_commands.cpp
Result<void> listSource(CommandCall& call);
Result<void> listSourceAt(CommandCall& call);
Result<void> currentSource(CommandCall& call);
Result<void> sourcePathCommand(CommandCall& call);

// text_commands.cpp
Result<void> echo(CommandCall& call);
Result<void> clearScreen(CommandCall& call);
Result<void> showHelp(CommandCall& call);
Result<void> quit(CommandCall& call);

// log_commands.cpp
Result<void> openLog(CommandCall& call);
Result<void> closeLog(CommandCall& call);
Result<void> showLog(CommandCall& call);

// alias_commands.cpp
Result<void> deleteAlias(CommandCall& call);
Result<void> listAliases(CommandCall& call);

// print_command.cpp
Result<void> printFormatted(CommandCall& call);

// extension_commands.cpp
Result<void> loadExtension(CommandCall& call);
Result<void> unloadExtension(CommandCall& call);
Result<void> listExtensions(CommandCall& call);

// text_commands.cpp: what the interpreter runs itself
Result<void> misplaced(CommandCall& call);

// analyze_command.cpp
Result<void> analyzeDump(CommandCall& call);

}  // namespace icecore::debugger
