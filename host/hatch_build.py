"""Put the device's rooms into wheels; an editable install reads them where they are."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DeviceRooms(BuildHookInterface):
    """Adds `endpoint` and the `micropython` stand-in to wheels that are not editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Extend the wheel's contents; `version` is the kind of build."""
        if version != "editable":
            build_data["force_include"]["../firmware/endpoint"] = "endpoint"
            build_data["force_include"]["src/micropython.py"] = "micropython.py"
