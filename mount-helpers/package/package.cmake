# Included by the top CMakeLists.txt: what is installed and where, the target `uninstall`, and
# the Debian package of `cpack -G DEB`. Components: `system` is for all; `local` is what
# `cmake --install` lays down besides, `debian` what the package has besides.

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME system)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(EF_HELPERS ${CMAKE_SOURCE_DIR}/mount-helpers)
set(EF_MAN8 ${CMAKE_INSTALL_MANDIR}/man8)
set(EF_DOC ${CMAKE_INSTALL_DATADIR}/doc/espflashfs)

# ef_install_link(TARGET LINK): a symbolic link beside its target.
function(ef_install_link target link)
  install(CODE "file(CREATE_LINK \"${target}\" \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${link}\" SYMBOLIC)
list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${CMAKE_INSTALL_PREFIX}/${link}\")")
endfunction()

install(TARGETS espflashfs)
install(DIRECTORY ${EF_STUB_DIR}/ DESTINATION ${CMAKE_INSTALL_DATADIR}/espflashfs/stubs OPTIONAL)
install(FILES ${EF_HELPERS}/espflashfs.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES README.md DESTINATION ${EF_DOC})
install(FILES ${EF_HELPERS}/completions/espflashfs.bash RENAME espflashfs
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)

# A board that is mounted is listed as of type fuse.espflashfs: umount(8) calls that name's helper.
install(PROGRAMS ${EF_HELPERS}/mount.espflashfs ${EF_HELPERS}/umount.espflashfs
  DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(FILES ${EF_HELPERS}/mount.espflashfs.8 DESTINATION ${EF_MAN8})
foreach(link mount.fuse.espflashfs umount.fuse.espflashfs)
  string(REPLACE .fuse "" target ${link})
  ef_install_link(${target} ${CMAKE_INSTALL_SBINDIR}/${link})
endforeach()
foreach(link mount.fuse.espflashfs umount.espflashfs umount.fuse.espflashfs)
  ef_install_link(mount.espflashfs.8 ${EF_MAN8}/${link}.8)
endforeach()

install(PROGRAMS ${EF_HELPERS}/udev/espflashfs-plug DESTINATION lib/udev)
# The prefix is known when it is installed: the package has another one.
install(CODE "set(EF_LIBEXEC_DIR \"\${CMAKE_INSTALL_PREFIX}/lib/udev\")
configure_file(\"${EF_HELPERS}/udev/70-espflashfs.rules.in\"
  \"${CMAKE_BINARY_DIR}/70-espflashfs.rules\" @ONLY)")
install(FILES ${CMAKE_BINARY_DIR}/70-espflashfs.rules DESTINATION lib/udev/rules.d)
install(FILES ${EF_HELPERS}/systemd/espflashfs@.service
  ${EF_HELPERS}/systemd/espflashfs-gone@.service DESTINATION lib/systemd/system)
install(FILES ${EF_HELPERS}/autofs/auto.espflash DESTINATION ${EF_DOC}/examples)

# Nothing in /etc is overwritten: the package's settings are dpkg's to keep, here they are examples.
install(FILES ${EF_HELPERS}/udev/boards ${EF_HELPERS}/systemd/espflashfs.default
  DESTINATION ${EF_DOC}/examples COMPONENT local)
install(FILES ${EF_HELPERS}/completions/_espflashfs
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT local)
# mount(8) looks for helpers in /sbin only. What lies there as a file is a package's.
install(CODE "if(CMAKE_INSTALL_PREFIX STREQUAL /usr/local AND \"\$ENV{DESTDIR}\" STREQUAL \"\"
    AND (IS_SYMLINK /sbin/mount.espflashfs OR NOT EXISTS /sbin/mount.espflashfs))
  foreach(name mount.espflashfs mount.fuse.espflashfs umount.espflashfs umount.fuse.espflashfs)
    file(CREATE_LINK \"/usr/local/${CMAKE_INSTALL_SBINDIR}/\${name}\" \"/sbin/\${name}\" SYMBOLIC)
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"/sbin/\${name}\")
  endforeach()
endif()" COMPONENT local)

install(FILES ${EF_HELPERS}/udev/boards DESTINATION /etc/espflashfs
  COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${EF_HELPERS}/systemd/espflashfs.default RENAME espflashfs DESTINATION /etc/default
  COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${EF_HELPERS}/completions/_espflashfs
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright ${CMAKE_CURRENT_LIST_DIR}/changelog
  DESTINATION ${EF_DOC} COMPONENT debian EXCLUDE_FROM_ALL)
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
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/conffiles
  ${CMAKE_CURRENT_LIST_DIR}/postinst ${CMAKE_CURRENT_LIST_DIR}/prerm ${CMAKE_CURRENT_LIST_DIR}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
