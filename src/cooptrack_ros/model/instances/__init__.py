"""Queries: decoder, motion, reasoning over history, box codes."""
