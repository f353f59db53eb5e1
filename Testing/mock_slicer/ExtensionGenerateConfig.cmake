# Slicer writes the extension's package config here.
file(TOUCH ${CMAKE_BINARY_DIR}/${PROJECT_NAME}Config.cmake)
