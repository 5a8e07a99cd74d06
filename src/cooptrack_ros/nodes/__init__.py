"""The ROS nodes: they convert messages, run the pipeline of their agent and publish."""

from ..common.blas import leave_blas_one_thread
from .interpreter import check_interpreter

check_interpreter()
leave_blas_one_thread()
