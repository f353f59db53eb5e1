# Slicer packages the extension with its description here: the description is written down.
set(description "EXTENSION_NAME=${PROJECT_NAME}\n")
foreach(name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS RECOMMENDS KEYWORDS)
  string(APPEND description "EXTENSION_${name}=${EXTENSION_${name}}\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/description.txt "${description}")
