"""The ``cooptrack`` command."""

from ..core.blas import leave_blas_one_thread

leave_blas_one_thread()
