// The variables and types of variables.cpp, each type in a unit of its own (flags.cmake).
#include "variables.cpp"
