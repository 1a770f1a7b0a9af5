# A bare-metal machine. The core is compiled freestanding and linked into one
# relocatable object; the build fails when that object needs anything but the
# machine contract (arch_*).
if(LEVITATE_ARCH STREQUAL "x86_64")
	target_compile_options(core_flags INTERFACE -mcmodel=kernel -mno-red-zone -mgeneral-regs-only)
else()
	target_compile_options(core_flags INTERFACE -mgeneral-regs-only -mno-outline-atomics)
endif()
target_compile_options(core_flags INTERFACE -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables)

add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/core.o
	COMMAND ${CMAKE_LINKER} -r -o core.o ${core_objects}
	COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DOBJECT=core.o -P ${CMAKE_SOURCE_DIR}/cmake/check_seam.cmake
	DEPENDS ${core_objects} ${CMAKE_SOURCE_DIR}/cmake/check_seam.cmake
	WORKING_DIRECTORY ${CMAKE_BINARY_DIR} COMMAND_EXPAND_LISTS VERBATIM
	COMMENT "Linking the core for ${LEVITATE_ARCH} and checking the machine seam")
add_custom_target(core_object ALL DEPENDS ${CMAKE_BINARY_DIR}/core.o)
