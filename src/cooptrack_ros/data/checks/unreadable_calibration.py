"""Rule: a calibration, a pose or a list of frames that cannot be read."""

from collections.abc import Iterator

from .rule import CheckedData, Found, Rule, Severity


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.recordings:
        if 'calibration' in recording.unreadable:
            yield recording.title, recording.unreadable['calibration']
    for name, entry in data.missing('calibration'):
        yield name, f'{entry.count} frames are left out, the first lacks {entry.example}'


RULE = Rule('unreadable-calibration', Severity.ERROR, 'a calibration, a pose or a list of frames cannot be read',
            'mend or write the file that is named; only the first of a sequence is, so check again', _find)
