"""Rule: labels that cannot be read."""

from collections.abc import Iterator

from .rule import CheckedData, Found, Rule, Severity


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.recordings:
        if 'labels' in recording.unreadable:
            yield recording.title, recording.unreadable['labels']


RULE = Rule('unreadable-labels', Severity.ERROR, 'labels cannot be read, so nothing is known of the whole sequence',
            'mend the file that is named; only the first of a sequence is, so check again', _find)
