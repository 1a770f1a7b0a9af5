# Installation and the Debian package of the hosted kernel: the program, man pages, bash completion, the gdb commands where gdb
# finds them by itself. `cmake --install build/host --prefix /usr`, or `cpack --config build/host/CPackConfig.cmake`.
include(GNUInstallDirs)

install(TARGETS levitate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CMAKE_SOURCE_DIR}/docs/levitate.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_SOURCE_DIR}/docs/levitate-debug.7 DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
install(FILES ${CMAKE_SOURCE_DIR}/tools/completion/levitate DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/CHANGES.md ${CMAKE_SOURCE_DIR}/CAVEATS.md
	DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

install(DIRECTORY ${CMAKE_SOURCE_DIR}/tools/gdb/ DESTINATION ${CMAKE_INSTALL_DATADIR}/levitate/gdb
	FILES_MATCHING PATTERN "*.py" PATTERN "__pycache__" EXCLUDE)
# gdb loads <data directory>/auto-load/<path of the program>-gdb.py; the prefix is known when it is installed.
install(CODE "
	set(bindir \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
	set(scripts \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/levitate/gdb\")
	file(WRITE \"${CMAKE_BINARY_DIR}/package/levitate-gdb.py\" 
		\"import sys\nsys.path.insert(0, '\${scripts}')\nimport levitate\n\")
	file(INSTALL \"${CMAKE_BINARY_DIR}/package/levitate-gdb.py\"
		DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/gdb/auto-load\${bindir}\")
")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME levitate)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_CONTACT "Levitate's developers <levitate@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "busybox-static, gdb, valgrind")
include(CPack)
