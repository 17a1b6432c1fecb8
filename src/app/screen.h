// The terminal a person looks at.
#pragma once

#include <cstddef>

namespace icecore::app {

/// Columns of the terminal that standard output goes to; 0 when it is no terminal.
std::size_t screenColumns();
/// Whether colours are welcome there: a terminal, and neither NO_COLOR nor TERM=dumb is set.
bool screenHasColors();

}  // namespace icecore::app
