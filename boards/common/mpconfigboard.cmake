# What the boards of the FASY-0624 family share: RP2040 with 2 MB of W25Q-type flash.
set(PICO_BOARD "pico")
set(PICO_PLATFORM "rp2040")

if(NOT MICROPY_FROZEN_MANIFEST)
    set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
endif()

# Native code for this processor reads its constants from word addresses, but MicroPython's
# mpy-tool aligns frozen native functions to half-words only (seen in 1.25): every second one
# would compute with wrong constants. Raise the alignment where those functions are compiled.
set_source_files_properties(${CMAKE_BINARY_DIR}/frozen_content.c PROPERTIES
    COMPILE_OPTIONS "-Daligned(n)=aligned((n) > 4 ? (n) : 4)")

# The port's ROM partition is not used, see mpconfigboard.h.
set_source_files_properties(rp2_flash.c PROPERTIES COMPILE_OPTIONS "-Wno-unused-variable")
