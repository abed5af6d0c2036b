"""The one place that holds the version; image, host package and release manifest read it here.

The first number is the firmware version that the data sheet's feature gates compare
(streaming from 12, net metering from 17, display items after 17).
"""

VERSION = "18.0.0"
FIRMWARE_VERSION = 18
