"""Looks for what is wrong with a data set: one rule is one file, each says what it means and how it is mended."""
