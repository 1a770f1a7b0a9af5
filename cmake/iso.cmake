# Makes a bootable ISO: GRUB (BIOS and EFI) loads the image by Multiboot2, with a root beside it.
# Usage: cmake -DIMAGE=levitate.elf -DOUTPUT=file.iso -DROOT=cpio-or-empty -DCMDLINE=text -DSOURCE_DIR=dir -P iso.cmake
# Without ROOT tools/mkroot packs one.
set(missing "")
foreach(pair grub-mkrescue:grub-common xorriso:xorriso mformat:mtools)
	string(REPLACE ":" ";" pair ${pair})
	list(GET pair 0 tool)
	list(GET pair 1 package)
	find_program(found_${tool} ${tool})
	if(NOT found_${tool})
		list(APPEND missing ${package})
	endif()
endforeach()
foreach(platform i386-pc:grub-pc-bin x86_64-efi:grub-efi-amd64-bin)
	string(REPLACE ":" ";" pair ${platform})
	list(GET pair 0 directory)
	list(GET pair 1 package)
	if(NOT EXISTS /usr/lib/grub/${directory}/multiboot2.mod)
		list(APPEND missing ${package})
	endif()
endforeach()
if(missing)
	list(JOIN missing " " text)
	message(FATAL_ERROR "the ISO needs these Debian packages: ${text}")
endif()

get_filename_component(directory ${OUTPUT} DIRECTORY)
set(tree ${directory}/iso)
file(REMOVE_RECURSE ${tree})
file(MAKE_DIRECTORY ${tree}/boot/grub)
if(NOT ROOT)
	set(ROOT ${directory}/root.cpio)
	execute_process(COMMAND ${SOURCE_DIR}/tools/mkroot x86_64 -o ${ROOT} COMMAND_ERROR_IS_FATAL ANY)
endif()
configure_file(${IMAGE} ${tree}/boot/levitate.elf COPYONLY)
configure_file(${ROOT} ${tree}/boot/root.cpio COPYONLY)
file(WRITE ${tree}/boot/grub/grub.cfg "set timeout=0
insmod all_video
menuentry Levitate {
	multiboot2 /boot/levitate.elf ${CMDLINE}
	module2 /boot/root.cpio
}
")
execute_process(COMMAND ${found_grub-mkrescue} -o ${OUTPUT} ${tree} RESULT_VARIABLE status ERROR_VARIABLE errors)
if(status)
	message(FATAL_ERROR "grub-mkrescue failed:\n${errors}")
endif()
file(SIZE ${OUTPUT} bytes)
math(EXPR mib "(${bytes} + 1048575) / 1048576")
message(STATUS "${OUTPUT}: ${mib} MiB")
