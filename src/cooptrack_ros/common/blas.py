"""Keeps OpenBLAS, which NumPy and SciPy come with, from computing in threads; nothing here may load NumPy."""

import os


def leave_blas_one_thread() -> None:
    """
    Give OpenBLAS one thread, unless the environment says otherwise; call it before NumPy is loaded.

    For programs only. What NumPy multiplies and inverts here are poses, and PyTorch has threads of its own. But
    OpenBLAS wakes all its threads even for a 4x4 inverse, and they go on spinning for longer than a frame takes.
    """
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
