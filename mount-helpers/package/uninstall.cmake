# Removes what `cmake --install` put down, and the folders of espflashfs that are empty then.
#   manifest  the list of files that the last installation left

if(NOT EXISTS "${manifest}")
  message(FATAL_ERROR "nothing was installed from this build tree: there is no ${manifest}; "
    "a package is removed by apt")
endif()

file(STRINGS "${manifest}" files)
foreach(file IN LISTS files)
  set(path "$ENV{DESTDIR}${file}")
  if(EXISTS "${path}" OR IS_SYMLINK "${path}")
    message(STATUS "Removing: ${path}")
    file(REMOVE "${path}")
    if(EXISTS "${path}")
      message(FATAL_ERROR "${path} cannot be removed; do this as who installed it (sudo)")
    endif()
  endif()
  cmake_path(GET path PARENT_PATH folder)
  while(folder MATCHES "/espflashfs(/|$)" AND IS_DIRECTORY "${folder}")
    file(GLOB left "${folder}/*")
    if(left)
      break()
    endif()
    file(REMOVE_RECURSE "${folder}")
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
endforeach()
file(REMOVE "${manifest}")
