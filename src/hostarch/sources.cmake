# The stub: a freestanding static program at fixed addresses (stub/stub.h),
# built without any of the kernel's or a sanitizer's flags, and embedded.
set(stub_dir ${CMAKE_SOURCE_DIR}/src/hostarch/stub)
set(stub_elf ${CMAKE_BINARY_DIR}/stub.elf)
add_custom_command(OUTPUT ${stub_elf}
	COMMAND ${CMAKE_C_COMPILER} -std=gnu17 -O2 -ffreestanding -fno-pic -fno-pie -fno-stack-protector
		-fno-asynchronous-unwind-tables -fcf-protection=none -mcmodel=large -mgeneral-regs-only
		-Wall -Wextra -Werror -nostdlib -static
		-Wl,-T,${stub_dir}/stub.lds -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack
		-o ${stub_elf} ${stub_dir}/stub.S ${stub_dir}/start.c
	DEPENDS ${stub_dir}/stub.S ${stub_dir}/start.c ${stub_dir}/stub.h ${stub_dir}/stub.lds
	COMMENT "Building the stub" VERBATIM)
add_library(stub_image OBJECT ${CMAKE_SOURCE_DIR}/src/hostarch/stub_image.S)
target_compile_definitions(stub_image PRIVATE "STUB_ELF=\"${stub_elf}\"")
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/hostarch/stub_image.S PROPERTIES OBJECT_DEPENDS ${stub_elf})

target_compile_definitions(host_code PRIVATE LEVITATE_MEMTOOLS=1)
target_link_libraries(levitate PRIVATE m)
target_sources(levitate PRIVATE $<TARGET_OBJECTS:stub_image>)
