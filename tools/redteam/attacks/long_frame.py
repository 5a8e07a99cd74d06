"""A unit whose lidar frame has a name of 40 MB."""

from ..attack import Attack, Moment, Shot, corner, lie, objects_at


def shots(moment: Moment) -> list[Shot]:
    """Return the message with every tenth image."""
    if moment.index % 10:
        return []
    return [lie(moment, objects_at(moment.drive.pattern, corner(moment, 2)), lidar_frame='x' * 40_000_000)]


ATTACK = Attack('a frame_id of 40 MB', shots)
