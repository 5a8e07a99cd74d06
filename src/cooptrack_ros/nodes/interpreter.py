"""Reports at once when nodes run with a Python that lacks what they need, as apt's does without the pip packages."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = ('torch', 'safetensors', 'numpy', 'scipy', 'cv2', 'yaml')


def check_interpreter() -> None:
    """
    Check that the modules are there, without loading them.

    :raises ModuleNotFoundError: naming the interpreter and everything that it lacks.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"{sys.executable} has no {', '.join(missing)}. Nodes run with the Python that built them: build with "
            '`python -m colcon build` of an environment that has these and sees ROS (docs/installation.md)')
