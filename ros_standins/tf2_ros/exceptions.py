"""What a look-up may raise."""


class TransformException(Exception):
    """Base of all errors of this package."""


class LookupException(TransformException):
    """A frame does not exist, or the frames form a loop."""


class ConnectivityException(TransformException):
    """The frames are not in one tree."""


class ExtrapolationException(TransformException):
    """A transform would be needed outside the time for which it is known."""


class InvalidArgumentException(TransformException):
    """The name of a frame is empty or starts with a slash."""
