// What the boards of the FASY-0624 family share; each board's mpconfigboard.h includes it.

// 2 MB of flash: 704 KiB for firmware, the rest is storage; flash_layout.py divides it.
#define MICROPY_HW_FLASH_STORAGE_BYTES (1344 * 1024)

// vfs.VfsRom executes an application slot in place. The port ties it to a ROM partition of its
// own; that one is never looked at, because without the ioctl nothing mounts it.
#define MICROPY_HW_ROMFS_BYTES (4096)
#define MICROPY_VFS_ROM_IOCTL (0)

// The module uses one core; the emulator has one.
#define MICROPY_PY_THREAD (0)

#define MICROPY_HW_USB_MANUFACTURER_STRING "wattline"
#define MICROPY_HW_USB_CDC_INTERFACE_STRING "Console"
