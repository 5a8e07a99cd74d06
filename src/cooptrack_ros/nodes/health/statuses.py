"""Entries of /diagnostics."""

from __future__ import annotations

from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from ...common.text import readable


def status_of(level: bytes, name: str, message: str, hardware_id: str, values: Mapping[str, str]) -> DiagnosticStatus:
    """Return an entry; what it cites of others can only be read."""
    return DiagnosticStatus(level=level, name=name, message=readable(message), hardware_id=hardware_id,
                            values=[KeyValue(key=k, value=readable(v)) for k, v in values.items()])
