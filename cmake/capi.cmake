# The shared libraries of the room capi, beside the program: libdbghelp.so, once more under the name
# that .NET's DllImport("dbghelp.dll") looks for, and icecore-dumper, which dumps its own caller.

function(icecore_capi)
    if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
        return()
    endif()
    set(room ${CMAKE_SOURCE_DIR}/src/capi)
    target_include_directories(icecore_capi PUBLIC ${CMAKE_SOURCE_DIR}/include)
    target_compile_definitions(icecore_capi PRIVATE
        ICECORE_LIBEXECDIR="${CMAKE_INSTALL_FULL_LIBEXECDIR}/icecore")
    target_link_libraries(icecore_capi PUBLIC ${CMAKE_DL_LIBS})

    add_executable(icecore-dumper ${room}/linux/dumper_main.cpp)
    target_link_libraries(icecore-dumper PRIVATE icecore::capi)
    set_target_properties(icecore-dumper PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    icecore_precompiled(icecore-dumper icecore_pch)

    set(names ${room}/dbghelp.map)
    add_library(icecore_dbghelp SHARED ${room}/minidump_write_dump.cpp ${room}/last_error.cpp)
    target_link_libraries(icecore_dbghelp PRIVATE icecore::capi)
    target_link_options(icecore_dbghelp PRIVATE -Wl,--version-script=${names})
    set_target_properties(icecore_dbghelp PROPERTIES
        OUTPUT_NAME dbghelp LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} LINK_DEPENDS ${names})
    icecore_precompiled(icecore_dbghelp icecore_pch)
    add_dependencies(icecore_dbghelp icecore-dumper)
    set(link dbghelp.dll.so)
    add_custom_command(TARGET icecore_dbghelp POST_BUILD VERBATIM
        COMMAND ${CMAKE_COMMAND} -E create_symlink libdbghelp.so ${CMAKE_BINARY_DIR}/${link})

    install(TARGETS icecore_dbghelp LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(FILES ${CMAKE_BINARY_DIR}/${link} DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(TARGETS icecore-dumper RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/icecore)
    install(FILES ${CMAKE_SOURCE_DIR}/include/icecore/minidump.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/icecore)
endfunction()
