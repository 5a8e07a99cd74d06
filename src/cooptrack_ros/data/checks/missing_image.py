"""Rule: images that are not there."""

from collections.abc import Iterator

from .rule import SINGLE_SIDES, CheckedData, Found, Rule, Severity, some


def _find(data: CheckedData) -> Iterator[Found]:
    for recording in data.of(*SINGLE_SIDES):
        missing = [str(camera.image_path) for record in recording.records for camera in record.cameras
                   if not camera.image_path.is_file()]
        if missing:
            yield recording.title, some(missing, 'images')
    for name, entry in data.missing('image'):
        yield name, f'{entry.count} frames are left out, the first lacks {entry.example}'


RULE = Rule('missing-image', Severity.ERROR, 'images are missing: a frame without is left out, or ends what reads it',
            'unpack or copy the images, or take the frames out of the list of frames', _find)
