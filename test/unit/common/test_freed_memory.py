"""Giving freed memory back."""

import ctypes

from cooptrack_ros.common import freed_memory


def test_the_c_library_is_asked_where_it_can(monkeypatch):
    asked = []
    monkeypatch.setattr(freed_memory, '_trim', lambda: asked.append)
    freed_memory.return_freed_memory()
    assert asked == [0]


def test_another_c_library_is_left_alone(monkeypatch):
    freed_memory._trim.cache_clear()
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: object())
    freed_memory.return_freed_memory()
    freed_memory._trim.cache_clear()
