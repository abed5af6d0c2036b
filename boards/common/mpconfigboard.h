// What the boards of the FASY-0624 family share; each board's mpconfigboard.h includes it.

// 2 MB of flash: 1 MB for firmware, 1 MB of storage (rp2.Flash: journal, then file system).
#define MICROPY_HW_FLASH_STORAGE_BYTES (1024 * 1024)

// The module uses one core; the emulator has one.
#define MICROPY_PY_THREAD (0)

#define MICROPY_HW_USB_MANUFACTURER_STRING "wattline"
#define MICROPY_HW_USB_CDC_INTERFACE_STRING "Console"
