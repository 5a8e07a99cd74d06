"""Fuzzing of everything that reads what others wrote: one entry point at a time, resumable, with statistics."""
