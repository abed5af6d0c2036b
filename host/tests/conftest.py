"""What all tests need: programs that are stopped as a person stops them, with Ctrl-C.

A shell gives what it starts in the background no Ctrl-C, and a program leaves that to those it
starts itself; test runs in the background shall be like all others.
"""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
