# icecore_flags: how everything of ours is compiled and linked. The victim programs of tests/targets
# do not use it: they stay what an ordinary user would have built.

set(ICECORE_SANITIZE "" CACHE STRING "sanitizers to build with, as -fsanitize= takes them")
option(ICECORE_FUZZ "build fuzz/ as libFuzzer programs (clang)" OFF)
option(ICECORE_PCH "precompile the heaviest headers" ON)

add_library(icecore_flags INTERFACE)
target_include_directories(icecore_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_features(icecore_flags INTERFACE cxx_std_23)
# fmt stands in for std::format, which GCC 12 lacks; as part of the language it is everywhere.
target_link_libraries(icecore_flags INTERFACE fmt::fmt)

if(MSVC)
    target_compile_options(icecore_flags INTERFACE /W4 /permissive- /utf-8)
    return()
endif()

target_compile_options(icecore_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wold-style-cast
    -Wnon-virtual-dtor -Woverloaded-virtual
    # Nobody replaces our functions at run time: -fPIC need not keep them from being inlined.
    -fno-semantic-interposition
    # Paths from the source root: stable output in messages and debug information, whatever
    # directory the checkout is in, and one compiler cache for all checkouts.
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

# Warnings are errors with the compilers we test; a newer one's new opinions must not break the
# build of someone who only wants the program.
if((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
    OR (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^19\\."))
    target_compile_options(icecore_flags INTERFACE -Werror)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 reports overlapping copies in plain std::string concatenation (GCC bug 105651).
    target_compile_options(icecore_flags INTERFACE -Wno-restrict)
    # Instrumentation hides initialisations from this warning, and GCC 12 takes copies of
    # std::optional for uninitialised (80635): clang-tidy and the sanitizers see the real ones.
    target_compile_options(icecore_flags INTERFACE -Wno-maybe-uninitialized)
    if(NOT ICECORE_SANITIZE)
        # And out-of-bounds copies in its moves, once all is inlined (105762): the sanitizers of the
        # dev preset see the real ones.
        target_compile_options(icecore_flags INTERFACE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
    endif()
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # libstdc++ 12's own std::stable_sort uses its deprecated get_temporary_buffer, and clang tells us.
    target_compile_options(icecore_flags INTERFACE -Wno-deprecated-declarations)
endif()

if(ICECORE_SANITIZE)
    target_compile_options(icecore_flags INTERFACE
        -fsanitize=${ICECORE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(icecore_flags INTERFACE -fsanitize=${ICECORE_SANITIZE})
    target_compile_definitions(icecore_flags INTERFACE _GLIBCXX_ASSERTIONS)
endif()
if(ICECORE_FUZZ)
    target_compile_options(icecore_flags INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(icecore_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# A faster linker where there is one.
find_program(ICECORE_MOLD ld.mold)
mark_as_advanced(ICECORE_MOLD)
if(ICECORE_MOLD)
    target_link_options(icecore_flags INTERFACE -fuse-ld=mold)
endif()
