// The variables and types of variables.cpp, each type in a unit of its own (flags.cmake).
#include "variables.cpp"  // NOLINT(bugprone-suspicious-include): the same source, built otherwise
