# ccache, where present, set up so that several checkouts (git worktrees) share one cache: paths
# below the source root are made relative before hashing, and -ffile-prefix-map keeps the root out
# of what the compiler writes. Sloppiness is what precompiled headers need; -fpch-preprocess lets
# ccache see which of them a GCC compilation used.

find_program(CCACHE ccache)
mark_as_advanced(CCACHE)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER AND NOT WIN32)
    foreach(language C CXX)
        set(CMAKE_${language}_COMPILER_LAUNCHER
            env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
            CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
            ${CCACHE})
    endforeach()
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
    elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
    endif()
endif()
