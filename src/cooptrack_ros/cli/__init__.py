"""The ``cooptrack`` command."""

from ..common.blas import leave_blas_one_thread

leave_blas_one_thread()
