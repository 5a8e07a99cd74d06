"""Rule: pairs whose two frames are of different times."""

from collections.abc import Iterator

import numpy as np

from .rule import CheckedData, Found, Rule, Severity, some


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.of('cooperative'):
        steps = np.diff([record.stamp_us for record in recording.records])
        if not len(steps):
            continue
        period = float(np.median(steps))
        apart = [(record.token, abs(record.stamp_us - record.infra.stamp_us)) for record in recording.records
                 if record.infra is not None]
        far = [f'frame {token}, {distance / 1e3:.0f} ms' for token, distance in apart if distance > period]
        if far:
            yield recording.title, some(far, f'pairs are farther apart than a period of {period / 1e3:.0f} ms')


RULE = Rule('distant-pair', Severity.WARNING, 'the frames of a pair are farther apart than a period of the frames',
            'pair each vehicle frame with the roadside frame nearest in time; do both clocks agree?', _find)
