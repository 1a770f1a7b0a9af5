# A bare-metal machine: build/<preset>/levitate.elf, for aarch64 also levitate.img (a Linux Image).
#
# The core is compiled freestanding and first linked into one relocatable object: the build fails when
# that needs anything but the machine contract (arch_*). An image is linked twice, for it holds the
# names of its own functions (symbols.cmake). Beside the kernel stand the contract tests
# (levitate-contract) and the ISO (target iso). Tools: the compiler, binutils, CMake; GRUB for the ISO.
if(LEVITATE_ARCH STREQUAL "x86_64")
	target_compile_options(core_flags INTERFACE -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fcf-protection=none)
else()
	# -fno-unwind-tables: the tables are debug information then (.debug_frame), as they are on x86_64 without it.
	target_compile_options(core_flags INTERFACE -mgeneral-regs-only -mno-outline-atomics -mbranch-protection=none
		-fno-unwind-tables)
endif()
target_compile_options(core_flags INTERFACE -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables)

add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/core.o
	COMMAND ${CMAKE_LINKER} -r -o core.o ${core_objects}
	COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DOBJECT=core.o -P ${CMAKE_SOURCE_DIR}/cmake/check_seam.cmake
	DEPENDS ${core_objects} ${CMAKE_SOURCE_DIR}/cmake/check_seam.cmake
	WORKING_DIRECTORY ${CMAKE_BINARY_DIR} COMMAND_EXPAND_LISTS VERBATIM
	COMMENT "Linking the core for ${LEVITATE_ARCH} and checking the machine seam")
add_custom_target(core_object ALL DEPENDS ${CMAKE_BINARY_DIR}/core.o)

set(boot_dir ${CMAKE_SOURCE_DIR}/src/arch_${LEVITATE_ARCH}/boot)
set(link_script ${boot_dir}/link.lds)
file(GLOB machine_sources CONFIGURE_DEPENDS src/metal/*.c ${boot_dir}/*.c ${boot_dir}/*.S ${boot_dir}/*.lds)
list(REMOVE_ITEM machine_sources ${link_script})
if(NOT EXISTS ${boot_dir}/context.S)
	list(APPEND machine_sources src/arch_${LEVITATE_ARCH}/context.S)
endif()
add_library(machine OBJECT ${machine_sources})
target_link_libraries(machine PRIVATE core_flags)
target_compile_definitions(machine PRIVATE LEVITATE_VERSION="${PROJECT_VERSION}")

string(REGEX REPLACE "nm$" "size" size_tool ${CMAKE_NM})
set(size_limit_kib 512)
if(LEVITATE_DEBUG)
	set(size_limit_kib 0)
endif()

# metal_image(NAME SIZE_LIMIT_KIB OBJECTS LINK_OPTION...): NAME.elf, for aarch64 NAME.img. 0: no limit.
function(metal_image name limit_kib objects)
	set(link ${CMAKE_C_COMPILER} -nostdlib -static -no-pie -Wl,-T,${link_script} -Wl,--build-id=none
		-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack ${ARGN})
	set(symbols ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DOUTPUT=${name}.symbols.S)
	set(symbols_script ${CMAKE_SOURCE_DIR}/cmake/symbols.cmake)
	set(compile ${CMAKE_C_COMPILER} -c -o ${name}.symbols.o ${name}.symbols.S)
	set(output ${name}.elf)
	set(make_img)
	if(LEVITATE_ARCH STREQUAL "aarch64")
		set(output ${name}.elf ${name}.img)
		set(make_img COMMAND ${CMAKE_OBJCOPY} -O binary ${name}.elf ${name}.img)
	endif()
	list(TRANSFORM output PREPEND ${CMAKE_BINARY_DIR}/)
	add_custom_command(OUTPUT ${output}
		COMMAND ${symbols} -P ${symbols_script}
		COMMAND ${compile}
		COMMAND ${link} -o ${name}.pass1 ${objects} ${name}.symbols.o
		COMMAND ${symbols} -DIMAGE=${name}.pass1 -P ${symbols_script}
		COMMAND ${compile}
		COMMAND ${link} -o ${name}.elf ${objects} ${name}.symbols.o
		COMMAND ${symbols} -DCHECK=${name}.elf -P ${symbols_script}
		COMMAND ${CMAKE_COMMAND} -DSIZE=${size_tool} -DIMAGE=${name}.elf -DLIMIT_KIB=${limit_kib}
			-P ${CMAKE_SOURCE_DIR}/cmake/check_size.cmake
		${make_img}
		BYPRODUCTS ${name}.pass1 ${name}.symbols.S ${name}.symbols.o
		DEPENDS ${objects} ${link_script} ${symbols_script} ${CMAKE_SOURCE_DIR}/cmake/check_size.cmake
		WORKING_DIRECTORY ${CMAKE_BINARY_DIR} COMMAND_EXPAND_LISTS VERBATIM
		COMMENT "Linking ${name}.elf")
	add_custom_target(${name} ALL DEPENDS ${output})
	add_dependencies(${name} core_object)
endfunction()

set(kernel_objects $<TARGET_OBJECTS:machine> ${core_objects})
metal_image(levitate ${size_limit_kib} "${kernel_objects}")

# The contract tests: the same image with another kernel_main() and other upcalls (tests/contract/machine).
set(contract_dir ${CMAKE_SOURCE_DIR}/tests/contract/machine)
set(machine_seam kernel_main trap_syscall trap_page_fault trap_exception trap_interrupt)
list(TRANSFORM machine_seam PREPEND "-Wl,--wrap=" OUTPUT_VARIABLE contract_wraps)
file(GLOB contract_sources CONFIGURE_DEPENDS ${contract_dir}/*.c)
add_library(contract OBJECT ${contract_sources} ${contract_dir}/guest_${LEVITATE_ARCH}.S)
target_link_libraries(contract PRIVATE core_flags)
target_compile_definitions(contract PRIVATE GUEST_HEADER="guest_${LEVITATE_ARCH}.h")
metal_image(levitate-contract 0 "${kernel_objects};$<TARGET_OBJECTS:contract>" ${contract_wraps})

# cmake --build --preset x86_64 --target iso
if(LEVITATE_ARCH STREQUAL "x86_64")
	set(LEVITATE_ISO_ROOT "" CACHE FILEPATH "root of the ISO, a cpio archive; empty: what tools/mkroot makes")
	set(LEVITATE_ISO_CMDLINE "console=ttyS0 init=/init" CACHE STRING "kernel command line of the ISO")
	add_custom_target(iso
		COMMAND ${CMAKE_COMMAND} -DIMAGE=${CMAKE_BINARY_DIR}/levitate.elf -DOUTPUT=${CMAKE_BINARY_DIR}/levitate.iso
			-DROOT=${LEVITATE_ISO_ROOT} -DCMDLINE=${LEVITATE_ISO_CMDLINE} -DSOURCE_DIR=${CMAKE_SOURCE_DIR}
			-P ${CMAKE_SOURCE_DIR}/cmake/iso.cmake
		VERBATIM)
	add_dependencies(iso levitate)
endif()
