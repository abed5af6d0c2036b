"""The host at an optical port: session, diagnosis, and tables as a person reads them."""
