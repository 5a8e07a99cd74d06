"""Rule: a part of the split without data."""

from collections.abc import Iterator

from .rule import CheckedData, Found, Rule, Severity

_NEEDED = ('train', 'val')


def _find(data: CheckedData) -> Iterator[Found]:
    sequences = {(r.name.split('/')[0], r.sequence) for r in data.recordings}
    present = {name: list(found) for name, found in data.split.items()}
    if not any(present.values()):
        yield 'all parts', f'none of the {len(sequences)} sequences is in a part of the split'
        return
    # One sequence cannot be split.
    for name in _NEEDED if len(sequences) > 1 else ():
        if not present.get(name):
            yield name, f'none of the {len(sequences)} sequences is in it'


RULE = Rule('empty-split', Severity.WARNING, 'a part of the split has no sequence: nothing to train or measure',
            'write the ids of the sequences that are there into the split', _find)
