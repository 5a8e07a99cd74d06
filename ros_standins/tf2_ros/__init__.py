"""
Stand-in for the Python package tf2_ros, for machines where it is missing.

Left out: ``lookup_transform_full`` and the other functions with a fixed frame, the async functions,
``Buffer.transform``, buffer client and server, the service tf2_frames, lists of frames as text, and the listener's
``spin_thread``, ``static_only`` and creation of a node. Import the names from the package, not from its modules.
"""

from .buffer import Buffer
from .endpoints import StaticTransformBroadcaster, TransformBroadcaster, TransformListener
from .exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)

__all__ = ['Buffer', 'ConnectivityException', 'ExtrapolationException', 'InvalidArgumentException', 'LookupException',
           'StaticTransformBroadcaster', 'TransformBroadcaster', 'TransformException', 'TransformListener']
