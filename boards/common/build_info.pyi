"""The module that each build writes and freezes; here for the type checker."""

VERSION: str
BOARD: str
GIT: str
BUILD_ID: str
MICROPYTHON: str
IMAGE: str
