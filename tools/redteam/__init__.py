"""Attacks on a live ego node and on the readers of files: what each of them does to the vehicle, in numbers."""
