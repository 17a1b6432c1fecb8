# build/static/icecore (`make static`): the verbs that take a machine's memory and handle its images,
# as one program without a shared library, for machines where nothing can be installed. What needs
# symbols, disassembly or the network's libraries is left out, so that it is small and quickly there.
# verbs.cpp has the list of its verbs, under ICECORE_PORTABLE.

set(ICECORE_STATIC_ROOMS base bytes memory arch model images formats live)
set(ICECORE_STATIC_SOURCES
    connection_linux console convert_verb dump_names hash_sidecars hashing_sink image_report main
    output output_linux output_tls_linux
    program progress_bar ram_journal ram_manifest ram_report ram_take_linux ram_verb report size_word
    terminal_linux verbs verify_verb volume_files_linux winpmem_verb working_memory_linux)
set(ICECORE_STATIC_LIBRARIES snappy lz4 zstd deflate lzma z ssl crypto)

function(icecore_static_program)
    if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR ICECORE_SANITIZE)
        return()
    endif()
    set(sources ${ICECORE_STATIC_SOURCES})
    list(TRANSFORM sources REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/src/app/\\1.cpp")
    add_executable(icecore_portable EXCLUDE_FROM_ALL
        ${sources} ${CMAKE_SOURCE_DIR}/src/views/json.cpp
        ${CMAKE_SOURCE_DIR}/cmake/static_fmt.cpp)
    # As everything else is compiled; linked it is by hand, with archives only.
    foreach(what COMPILE_OPTIONS COMPILE_FEATURES COMPILE_DEFINITIONS INCLUDE_DIRECTORIES)
        set_property(TARGET icecore_portable APPEND PROPERTY ${what}
            $<TARGET_PROPERTY:icecore_flags,INTERFACE_${what}>)
    endforeach()
    target_compile_definitions(icecore_portable PRIVATE FMT_SHARED ICECORE_PORTABLE
        ICECORE_VERSION="${PROJECT_VERSION}")
    set(archives "")
    foreach(room IN LISTS ICECORE_STATIC_ROOMS)
        list(APPEND archives $<TARGET_FILE:icecore_${room}>)
        add_dependencies(icecore_portable icecore_${room})
    endforeach()
    list(TRANSFORM ICECORE_STATIC_LIBRARIES PREPEND -l)
    target_link_libraries(icecore_portable PRIVATE
        -static -Wl,--start-group ${archives} ${ICECORE_STATIC_LIBRARIES} -Wl,--end-group)
    set(out ${CMAKE_SOURCE_DIR}/build/static)
    add_custom_command(TARGET icecore_portable POST_BUILD VERBATIM
        COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
        COMMAND ${CMAKE_STRIP} -o ${out}/icecore $<TARGET_FILE:icecore_portable>)
endfunction()
