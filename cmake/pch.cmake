# Two precompiled headers, each made once and used by many: the standard library and fmt for the
# rooms, the same plus GoogleTest for tests. The tidy preset builds without them, so that a missing
# #include cannot hide behind them.

function(icecore_pch_maker name)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/pch/${name}.cpp CONTENT "" @ONLY)
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/pch/${name}.cpp)
    target_link_libraries(${name} PRIVATE icecore_flags)
    target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()

if(ICECORE_PCH)
    set(heavy <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring> <expected>
        <filesystem> <functional> <map> <memory> <mutex> <optional> <span> <string> <string_view>
        <thread> <unordered_map> <utility> <variant> <vector> <fmt/format.h>)
    icecore_pch_maker(icecore_pch ${heavy})
    if(ICECORE_TESTS)
        icecore_pch_maker(icecore_test_pch ${heavy} <gtest/gtest.h> <gmock/gmock.h>)
        target_link_libraries(icecore_test_pch PRIVATE GTest::gmock)
    endif()
endif()

function(icecore_precompiled target maker)
    if(TARGET ${maker})
        target_precompile_headers(${target} REUSE_FROM ${maker})
    endif()
endfunction()
