#define MICROPY_HW_BOARD_NAME "wattline FASY-0624-0003"
#define MICROPY_HW_USB_PRODUCT_FS_STRING "FASY-0624-0003"

#include "../common/mpconfigboard.h"
