# Included by the top CMakeLists.txt: what is installed and where, the target `uninstall`, and
# the Debian package of `cpack -G DEB`. Two components: all that any system gets, and what only
# Debian's package has besides (see debian.cmake).

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME system)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(EF_HELPERS ${CMAKE_SOURCE_DIR}/mount-helpers)
file(GLOB man1_pages CONFIGURE_DEPENDS ${EF_HELPERS}/*.1)
file(GLOB man8_pages CONFIGURE_DEPENDS ${EF_HELPERS}/*.8)

install(TARGETS espflashfs)
install(FILES ${man1_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${man8_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/espflashfs)
install(DIRECTORY ${EF_STUB_DIR}/ DESTINATION ${CMAKE_INSTALL_DATADIR}/espflashfs/stubs OPTIONAL)

install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright ${CMAKE_CURRENT_LIST_DIR}/changelog
  DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/espflashfs COMPONENT debian EXCLUDE_FROM_ALL)
install(CODE "set(source \"${CMAKE_SOURCE_DIR}\")
  set(stubs \"${EF_STUB_DIR}\")" COMPONENT debian EXCLUDE_FROM_ALL)
install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/debian.cmake COMPONENT debian EXCLUDE_FROM_ALL)

add_custom_target(uninstall COMMAND ${CMAKE_COMMAND}
  -D manifest=${CMAKE_BINARY_DIR}/install_manifest.txt -P ${CMAKE_CURRENT_LIST_DIR}/uninstall.cmake)

set(CPACK_GENERATOR DEB)
# By component, so that install_manifest.txt stays what `cmake --install` left for `uninstall`.
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};${PROJECT_NAME};system;/"
  "${CMAKE_BINARY_DIR};${PROJECT_NAME};debian;/")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
set(CPACK_STRIP_FILES ON)
# A name that no mail can be sent to: whoever gives the package out puts their own here.
set(CPACK_PACKAGE_CONTACT "The espflashfs authors <nobody@espflashfs.invalid>" CACHE STRING
  "the package's maintainer: NAME <ADDRESS>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "mount an Espressif board's flash as a directory")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Mounts the flash of an attached ESP8266, ESP8285, ESP32 or one of its S, C,
H and P series as a directory, through the chip's own serial boot loader:
cp backs the firmware up and restores it, cat names the chip, echo erases.
What is read or written is proven by the chip's own digest.
.
Espressif's flasher stubs are included.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# The libraries are found by the program; fusermount3 is run by the one of FUSE.
set(CPACK_DEBIAN_PACKAGE_DEPENDS fuse3)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "autofs, ser2net")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
