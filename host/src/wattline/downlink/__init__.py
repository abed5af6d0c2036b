"""The collector's side of the downlink: frames, counters, released keys, waveform."""
