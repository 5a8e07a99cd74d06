"""Settings that users may change: declared once, for command-line flags, node parameters and their documentation."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from .errors import UserError


@dataclass(frozen=True)
class Declaration:
    """What there is to say of one setting; bounds are inclusive, ``live`` ones may change while a node runs."""

    default: Any
    description: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    def field(self, **changes: Any) -> Any:
        """Return the field of a dataclass that is declared like this; :param changes: what is said otherwise there."""
        said = replace(self, **changes)
        return field(default=said.default, metadata=vars(said))

    def expected(self, value: Any) -> str:
        """Return what is expected instead of a value, empty if it is one of the choices or within the bounds."""
        if self.choices and value not in self.choices:
            return f"one of {', '.join(self.choices)}"
        # NaN is within no bounds.
        if self.low is not None and not self.low <= value <= self.high:
            return f'{self.low} to {self.high}'
        return ''


def parameter(default: Any, description: str, **said: Any) -> Any:
    """Declare a field of a settings class, a bool if it has no default; :param said: see ``Declaration``."""
    return Declaration(default, description, **said).field()


def declarations(settings: Any) -> dict[str, Declaration]:
    """Return what is declared for the fields of a settings class or of its instance, by name."""
    return {item.name: Declaration(**item.metadata) for item in fields(settings) if item.metadata}


def check_declared(settings: Any) -> None:
    """
    Check all declared fields of a settings object.

    :raises UserError: naming the setting and what it must be.
    """
    for name, declaration in declarations(settings).items():
        value = getattr(settings, name)
        if expected := declaration.expected(value):
            raise UserError(f'{name} must be {expected}, not {value!r}')
