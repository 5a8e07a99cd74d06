"""Errors that are meant for the user, and messages that must be dropped."""

from .text import readable


class UserError(Exception):
    """A problem the user can mend; the text names the input and what was expected, and is shown without traceback."""


class WireError(ValueError):
    """A message that must be dropped; ``reason`` is a short code that is counted."""

    def __init__(self, reason: str, text: str):
        """Name the reason and describe what was expected; what is cited of the message can only be read."""
        super().__init__(readable(text))
        self.reason = reason
