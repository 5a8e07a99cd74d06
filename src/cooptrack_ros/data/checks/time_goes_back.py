"""Rule: frames or images whose times do not grow."""

from collections.abc import Iterator, Sequence

from .rule import SINGLE_SIDES, CheckedData, Found, Rule, Severity, some


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.of(*SINGLE_SIDES):
        records = sorted(recording.records, key=lambda record: record.frame_index)
        times = {'frame': [(record.token, record.stamp_us) for record in records]}
        for record in records:
            for camera in record.cameras:
                times.setdefault(f'image of {camera.name}', []).append((record.token, camera.stamp_us))
        back = [f'{what} {token}' for what, stamps in times.items() for token in _back(stamps)]
        if back:
            yield recording.title, some(back, 'times are not after the one before')


def _back(stamps: Sequence[tuple[str, int]]) -> list[str]:
    return [token for (_, before), (token, after) in zip(stamps, stamps[1:]) if after <= before]


RULE = Rule('time-goes-back', Severity.ERROR, 'times do not grow from frame to frame: velocities and tracks are wrong',
            'number the frames in order of their time; two clocks, or one that was set, must not be mixed', _find)
