"""Cameras and poses as they are measured: calibration, lenses, image decoding, synchronisation."""
