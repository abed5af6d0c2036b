"""The wattline command, one file per sub-command."""

from wattline.cli.app import main

__all__ = ["main"]
