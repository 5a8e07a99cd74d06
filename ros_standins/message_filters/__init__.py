"""
Stand-in for the Python package message_filters, for machines where it is missing.

Left out: Chain, InputAligner, DeltaFilter and message traits; a message without a stamp is an error (ValueError)
instead of a warning, unless ``allow_headerless`` is set. Method names are those of the real package.
"""

from .filters import Cache, SimpleFilter, Subscriber
from .synchronizers import ApproximateTimeSynchronizer, TimeSynchronizer

__all__ = ['ApproximateTimeSynchronizer', 'Cache', 'SimpleFilter', 'Subscriber', 'TimeSynchronizer']
