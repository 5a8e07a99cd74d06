"""Programs start no threads for small matrices."""

import os
import subprocess
import sys

import pytest

_COUNT = """
import os, importlib
importlib.import_module({module!r})
import numpy
numpy.linalg.inv(numpy.eye(4))
print(len(os.listdir('/proc/self/task')))
"""


def threads(module: str, **variables: str) -> int:
    """Return how many threads a process has that imported a module first, and then inverted a matrix."""
    environment = {k: v for k, v in os.environ.items() if not k.endswith('_NUM_THREADS')} | variables
    out = subprocess.run([sys.executable, '-c', _COUNT.format(module=module)], env=environment, check=True,
                         capture_output=True, text=True)
    return int(out.stdout)


@pytest.mark.parametrize('module', ['cooptrack_ros.nodes', 'cooptrack_ros.cli.main'])
def test_programs_leave_numpy_one_thread(module):
    assert threads(module) == 1


@pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason='one core has one thread anyway')
def test_who_imports_the_core_decides_for_himself():
    assert threads('cooptrack_ros.common.geometry') > 1
    assert threads('cooptrack_ros.nodes', OPENBLAS_NUM_THREADS='2') == 2
