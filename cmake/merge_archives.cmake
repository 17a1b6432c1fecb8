# -D AR=… -D OUT=libx.a -D ARCHIVES=a.a;b.a -P merge_archives.cmake: one archive of several, so that
# a program that links statically names one.
set(script "CREATE ${OUT}\n")
foreach(archive IN LISTS ARCHIVES)
    string(APPEND script "ADDLIB ${archive}\n")
endforeach()
string(APPEND script "SAVE\nEND\n")
file(REMOVE ${OUT})
file(WRITE ${OUT}.mri ${script})
execute_process(COMMAND ${AR} -M INPUT_FILE ${OUT}.mri COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE ${OUT}.mri)
