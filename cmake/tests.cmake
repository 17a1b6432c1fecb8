# Tests run under ctest, one entry per GoogleTest suite: entries run side by side, and a sanitized
# program is not started anew for every single test. A suite whose name ends in "Serial" runs alone
# (it measures time). Suites of tests/torture carry the label "torture"; `make test` leaves them out.

if(ICECORE_TESTS STREQUAL "AUTO")
    set(ICECORE_TESTS ${GTest_FOUND})
endif()
if(ICECORE_TESTS AND NOT GTest_FOUND)
    message(FATAL_ERROR "GoogleTest is missing; `tools/setup.sh build test` installs what the tests need")
endif()

set(ICECORE_TARGETS_DIR ${CMAKE_BINARY_DIR}/targets)

# icecore_test_program(NAME SOURCES … LINK … [LABEL torture])
function(icecore_test_program NAME)
    cmake_parse_arguments(PARSE_ARGV 1 TEST "" "LABEL" "SOURCES;LINK")
    add_executable(${NAME} ${TEST_SOURCES})
    target_link_libraries(${NAME} PRIVATE
        ${TEST_LINK} icecore_test_support icecore_flags GTest::gmock GTest::gtest_main)
    set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    icecore_precompiled(${NAME} icecore_test_pch)
    if(TARGET icecore_targets)
        add_dependencies(${NAME} icecore_targets)
    endif()

    # The suites are listed when the program has been linked, into a file that ctest reads.
    set(list ${CMAKE_BINARY_DIR}/tests/${NAME}.cmake)
    add_custom_command(TARGET ${NAME} POST_BUILD VERBATIM
        COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${NAME}> -D NAME=${NAME} -D OUT=${list}
            -D LABEL=${TEST_LABEL} -P ${CMAKE_SOURCE_DIR}/cmake/list_suites.cmake)
    if(TEST_LABEL)
        set_target_properties(${NAME} PROPERTIES EXCLUDE_FROM_ALL ON)
        set(otherwise "")
    else()
        set(otherwise "add_test(${NAME}_NOT_BUILT ${NAME}_NOT_BUILT)")
    endif()
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/tests/${NAME}_include.cmake @ONLY CONTENT
"if(EXISTS \"@list@\")
    include(\"@list@\")
else()
    @otherwise@
endif()
")
    set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY
        TEST_INCLUDE_FILES ${CMAKE_BINARY_DIR}/tests/${NAME}_include.cmake)
endfunction()

# What tests share: where things are, and whatever else stands in tests/support.
function(icecore_test_support)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.cpp)
    add_library(icecore_test_support STATIC ${sources})
    target_include_directories(icecore_test_support PUBLIC ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(icecore_test_support PUBLIC icecore_flags icecore::base)
    # The only absolute paths on a command line of ours, so that only this file is compiled anew
    # in every checkout (see cmake/ccache.cmake).
    set_source_files_properties(${CMAKE_SOURCE_DIR}/tests/support/paths.cpp PROPERTIES
        COMPILE_DEFINITIONS "ICECORE_PROGRAM=\"${CMAKE_BINARY_DIR}/icecore\";\
ICECORE_TARGETS_DIR=\"${ICECORE_TARGETS_DIR}\";ICECORE_SOURCE_DIR=\"${CMAKE_SOURCE_DIR}\"")
endfunction()

# Whole-program tests: one program per file of tests/ and tests/torture/.
function(icecore_whole_program_tests)
    get_property(rooms GLOBAL PROPERTY ICECORE_ROOMS)
    file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*.cpp)
    file(GLOB tortures CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/torture/*.cpp)
    add_custom_target(torture_programs)
    foreach(source IN LISTS tests tortures)
        cmake_path(GET source STEM name)
        set(label "")
        if(source IN_LIST tortures)
            string(PREPEND name torture_)
            set(label torture)
        endif()
        icecore_test_program(${name} SOURCES ${source} LINK ${rooms} LABEL "${label}")
        if(TARGET icecore)
            add_dependencies(${name} icecore)
        endif()
        if(label)
            add_dependencies(torture_programs ${name})
        endif()
    endforeach()
endfunction()

# Checks of the source tree itself.
function(icecore_source_checks)
    find_package(Python3 COMPONENTS Interpreter REQUIRED)
    set(check ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/check_includes.py)
    add_test(NAME includes COMMAND ${check} ${CMAKE_SOURCE_DIR})
    add_test(NAME includes_check_itself COMMAND ${check} --self-test)
endfunction()
