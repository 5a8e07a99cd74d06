"""What is wrong with a received message."""


class WireError(ValueError):
    """A message that must be dropped; ``reason`` is a short code that is counted."""

    def __init__(self, reason: str, text: str):
        """Name the reason and describe what was expected."""
        super().__init__(text)
        self.reason = reason
