"""The endpoint: everything that runs on the module, and the rooms the host borrows from it."""
