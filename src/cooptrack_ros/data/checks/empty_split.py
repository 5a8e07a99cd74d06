"""Rule: a part of the split without data."""

from collections.abc import Iterator

from .rule import CheckedData, Found, Rule, Severity

_NEEDED = ('train', 'val')


def _find(data: CheckedData) -> Iterator[Found]:
    for folder, parts in data.split.items():
        count = len(parts[None])
        filled = [name for name, sequences in parts.items() if name and sequences]
        if not filled:
            yield folder, f'none of its {count} sequences is in a part of the split'
        # One sequence cannot be split.
        for name in _NEEDED if filled and count > 1 else ():
            if name not in filled:
                yield f'{folder}, {name}', f'none of its {count} sequences is in it'


RULE = Rule('empty-split', Severity.WARNING, 'a part of the split has no sequence: nothing to train or measure',
            'write the ids of the sequences that are there into the split', _find)
