"""The power line: transmitter circuit, attenuation, mains, noise."""
