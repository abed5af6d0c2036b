"""C12.18 packets, services and roles; C12.19 numbers and tables. Pure."""
