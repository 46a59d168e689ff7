# Run by cpack while it fills the package's folder, after the component `system`: packs what
# Debian's policy wants packed, and refuses to make a package without the stubs.
#   source  the top of the sources
#   stubs   the build tree's folder of stubs

set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")

foreach(wanted esp8266.json esp32.json LICENSE)
  if(NOT EXISTS "${stubs}/${wanted}")
    message(FATAL_ERROR "the package holds Espressif's stubs, and ${stubs}/${wanted} is missing; "
      "run: sh ${source}/mount-helpers/fetch-stubs ${stubs}")
  endif()
endforeach()

# A link to a page is to lead to the packed one.
file(GLOB pages "${root}/share/man/man*/*.[18]")
foreach(page IN LISTS pages)
  if(IS_SYMLINK "${page}")
    file(READ_SYMLINK "${page}" target)
    file(REMOVE "${page}")
    file(CREATE_LINK "${target}.gz" "${page}.gz" SYMBOLIC)
    list(REMOVE_ITEM pages "${page}")
  endif()
endforeach()
# Without name and time in them: the same files make the same package.
execute_process(COMMAND gzip -9nf ${pages} "${root}/share/doc/espflashfs/changelog"
  COMMAND_ERROR_IS_FATAL ANY)
