"""The middleware: which it is, and what is known of it that concerns these nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .silence import BEST_EFFORT_VALUES

ZENOH = 'rmw_zenoh_cpp'


def mixed_reliability(rmw: str, parameters: Mapping[str, Any]) -> tuple[str, str] | None:
    """
    Return evidence and advice if best-effort and reliable topics of one node do not go well together; None if they do.

    Both nodes always publish reliable topics, so that one parameter with best effort is enough.

    :param parameters: of the node, at least those of ``BEST_EFFORT_VALUES`` that it has.
    """
    mixing = [name for name, value in BEST_EFFORT_VALUES.items() if parameters.get(name) == value]
    if rmw != ZENOH or not mixing:
        return None
    values = ' and '.join(f'{name}: {BEST_EFFORT_VALUES[name]}' for name in mixing)
    return (f'{ZENOH} with {values}, while other topics of the node are reliable; users report that such nodes lose '
            'most best-effort messages',
            f"set {' and '.join(mixing)} to reliable and let the publishers offer it, or use another "
            'RMW_IMPLEMENTATION')
