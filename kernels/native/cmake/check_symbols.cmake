# Fails unless the objects of one instruction set define no global symbol but their tables, and no
# weak one: the linker may keep one copy of a weak symbol for all sets, made for any of them.
#     cmake -DNM=nm -DSET=avx2 -DOBJECTS=a.o;b.o -P check_symbols.cmake
foreach(OBJECT ${OBJECTS})
  execute_process(COMMAND ${NM} --defined-only --extern-only ${OBJECT}
                  OUTPUT_VARIABLE FOUND COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" LINES "${FOUND}")
  foreach(LINE ${LINES})
    string(REGEX REPLACE "^[0-9a-f]* +" "" SYMBOL "${LINE}")
    # Types and names, as "R _ZN2gk10lanes_avx2E".
    if(NOT SYMBOL MATCHES "^[BDRS] _ZN2gk[0-9]+[a-z]+_${SET}E$")
      message(SEND_ERROR "${OBJECT} (${SET}) defines ${SYMBOL}; give it internal linkage")
    endif()
  endforeach()
endforeach()
