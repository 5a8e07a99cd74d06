"""What a rule about data is, what it looks at, and what it finds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from ...common.errors import UserError
from ...sensors.calibration_check import Finding
from ..dataset import DataSet, FrameRecord, LeftOut, OpenedData, recordings

SINGLE_SIDES = ('vehicle-side', 'infrastructure-side')


class Severity(IntEnum):
    """How bad it is; a command that finds it ends with this status (2 is that of a command that could not run)."""

    WARNING = 1
    ERROR = 3


@dataclass(frozen=True)
class Recording:
    """
    What one side recorded in one sequence; ``records`` are sorted by time.

    ``unreadable`` says by content, ``calibration`` or ``labels``, why it could not be read: then there are no records,
    or records without labels.
    """

    name: str
    side: str
    sequence: str
    records: Sequence[FrameRecord]
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name it in a report."""
        return f'{self.name}, {self.side}, sequence {self.sequence}'


@dataclass(frozen=True)
class CheckedData:
    """
    All that rules look at.

    ``left_out`` is what readers left out, by name of the recording; ``split`` has by data set the sequences that are
    there of each part, and under None all.
    """

    recordings: Sequence[Recording]
    left_out: Mapping[str, Sequence[LeftOut]] = field(default_factory=dict)
    split: Mapping[str, Mapping[str | None, Sequence[str]]] = field(default_factory=dict)

    def of(self, *sides: str) -> Iterator[Recording]:
        """Yield the recordings of some sides."""
        return (r for r in self.recordings if r.side in sides)

    def missing(self, kind: str) -> Iterator[tuple[str, LeftOut]]:
        """Yield what readers left out of one kind, each with the name of its recording."""
        return ((name, entry) for name, entries in self.left_out.items() for entry in entries if entry.kind == kind)


Found = tuple[str, str]
"""Where something is wrong, and what shows it."""


@dataclass(frozen=True)
class Rule:
    """One thing that may be wrong with data: what it means, how to mend it, and how to find it."""

    id: str
    severity: Severity
    meaning: str
    mend: str
    find: Callable[[CheckedData], Iterable[Found]]


@dataclass(frozen=True)
class DataFinding:
    """What a rule found at one place."""

    rule: str
    severity: str
    where: str
    meaning: str
    evidence: str
    mend: str

    def __str__(self) -> str:
        """Return three lines for a terminal."""
        return str(Finding(f'{self.severity} {self.rule}: {self.where}: {self.meaning}', self.evidence, self.mend))


def apply(rules: Iterable[Rule], data: CheckedData) -> list[DataFinding]:
    """Return what rules find, in their order."""
    return [DataFinding(rule.id, rule.severity.name.lower(), where, rule.meaning, evidence, rule.mend)
            for rule in rules for where, evidence in rule.find(data)]


def read(datasets: OpenedData) -> CheckedData:
    """
    Read the records of all sides of data sets.

    What cannot be read is kept as words; the sequence is then read without labels, if that can be done.

    :raises UserError: if a data set cannot tell its sequences.
    """
    found: list[Recording] = []
    left_out: dict[str, list[LeftOut]] = defaultdict(list)
    split = {str(folder): {None: dataset.sequences(), **{name: dataset.sequences(name) for name in dataset.split}}
             for folder, dataset in datasets}
    parts: dict[int, tuple[str, DataSet]] = {}
    for side in (*SINGLE_SIDES, 'cooperative'):
        for name, part in recordings(datasets, side):
            if part.has_side(side):
                found += [_recording(name, part, side, sequence) for sequence in part.sequences()]
            parts[id(part)] = (name, part)
    for name, part in parts.values():
        left_out[name] += part.left_out()
    return CheckedData(found, left_out, split)


def _recording(name: str, dataset: DataSet, side: str, sequence: str) -> Recording:
    try:
        return Recording(name, side, sequence, dataset.records(side, sequence))
    except UserError as error:
        said = str(error)
    try:
        return Recording(name, side, sequence, dataset.records(side, sequence, labels=False), {'labels': said})
    except UserError as error:
        return Recording(name, side, sequence, (), {'calibration': str(error)})


def some(places: Sequence[str], what: str) -> str:
    """Return how many there are, and the first."""
    return f'{len(places)} {what}, the first: {places[0]}'
