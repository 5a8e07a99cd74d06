"""A Python that lacks what nodes need is named at once."""

import importlib
import sys

import pytest

from cooptrack_ros.nodes import interpreter


def test_this_interpreter_has_everything():
    """Raise nothing where the tests run: a false alarm would keep every node from starting."""
    interpreter.check_interpreter()
    for name in interpreter.NEEDED:
        assert importlib.import_module(name).__name__ == name


def test_the_interpreter_and_all_that_it_lacks_are_named(monkeypatch):
    monkeypatch.setattr(interpreter, 'NEEDED', ('no_torch', 'sys', 'no_cv2'))
    with pytest.raises(ModuleNotFoundError) as error:
        interpreter.check_interpreter()
    assert str(error.value).startswith(f'{sys.executable} has no no_torch, no_cv2. ')
    assert 'python -m colcon build' in str(error.value)
