# fuzz/NAME_fuzz.cpp defines LLVMFuzzerTestOneInput. In the fuzz preset it becomes the libFuzzer
# program build/fuzz/fuzz/NAME; everywhere else it is linked with a driver that replays
# fuzz/corpus/NAME/ as an ordinary test, so that what was once found stays found.

function(icecore_fuzzers)
    get_property(rooms GLOBAL PROPERTY ICECORE_ROOMS)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.cpp)
    add_custom_target(fuzz_programs)
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM name)
        string(REGEX REPLACE "_fuzz$" "" name ${name})
        add_executable(fuzz_${name} ${source})
        set_target_properties(fuzz_${name} PROPERTIES
            OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
        target_link_libraries(fuzz_${name} PRIVATE ${rooms} icecore_flags)
        add_dependencies(fuzz_programs fuzz_${name})
        if(ICECORE_FUZZ)
            target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        else()
            target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cpp)
            icecore_precompiled(fuzz_${name} icecore_pch)
            add_test(NAME replay.${name}
                COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
            set_tests_properties(replay.${name} PROPERTIES TIMEOUT 300)
        endif()
    endforeach()
endfunction()
