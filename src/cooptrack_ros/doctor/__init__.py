"""Looks at a running system and says what is wrong."""
