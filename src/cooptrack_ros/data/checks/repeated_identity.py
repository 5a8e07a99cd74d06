"""Rule: an identity that two objects of a frame have."""

from collections.abc import Iterator

import numpy as np

from .rule import CheckedData, Found, Rule, Severity, some


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.recordings:
        repeated = []
        for record in recording.records:
            numbers, counts = np.unique(record.boxes.track_id, return_counts=True)
            repeated += [f'frame {record.token}, identity {n}' for n in numbers[(counts > 1) & (numbers >= 0)]]
        if repeated:
            yield recording.title, some(repeated, 'identities')
    for name, entry in data.missing('repeated identity'):
        yield name, f'{entry.count} objects are left out, the first: {entry.example}'


RULE = Rule('repeated-identity', Severity.ERROR, 'two objects of one frame have the same identity',
            'give every object of a sequence a number of its own, over all classes', _find)
