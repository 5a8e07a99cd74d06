"""Errors that are meant for the user."""


class UserError(Exception):
    """A problem the user can mend; the text names the input and what was expected, and is shown without traceback."""
