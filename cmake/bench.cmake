# bench/NAME_bench.cpp becomes build/<preset>/bench/NAME, built only by the target bench_programs.
# bench/kit/ is what they share.

function(icecore_benchmarks)
    get_property(rooms GLOBAL PROPERTY ICECORE_ROOMS)
    file(GLOB kit CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/kit/*.cpp)
    add_library(icecore_bench_kit STATIC EXCLUDE_FROM_ALL ${kit})
    target_include_directories(icecore_bench_kit PUBLIC ${CMAKE_SOURCE_DIR}/bench)
    target_link_libraries(icecore_bench_kit
        PUBLIC ${rooms} icecore_flags icecore_test_support)

    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*_bench.cpp)
    add_custom_target(bench_programs)
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM name)
        string(REGEX REPLACE "_bench$" "" name ${name})
        add_executable(bench_${name} EXCLUDE_FROM_ALL ${source})
        set_target_properties(bench_${name} PROPERTIES
            OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
        target_link_libraries(bench_${name} PRIVATE icecore_bench_kit)
        if(benchmark_FOUND)
            target_link_libraries(bench_${name} PRIVATE benchmark::benchmark)
        endif()
        add_dependencies(bench_programs bench_${name})
        if(TARGET icecore)
            add_dependencies(bench_${name} icecore)
        endif()
        if(TARGET icecore_targets)
            add_dependencies(bench_${name} icecore_targets)
        endif()
    endforeach()
endfunction()
