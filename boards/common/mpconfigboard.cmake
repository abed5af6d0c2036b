# What the boards of the FASY-0624 family share: RP2040 with 2 MB of W25Q-type flash.
set(PICO_BOARD "pico")
set(PICO_PLATFORM "rp2040")

if(NOT MICROPY_FROZEN_MANIFEST)
    set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
endif()
