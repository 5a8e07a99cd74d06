"""A unit whose names hold what clears a terminal and looks like a line of the log."""

from ..attack import Attack, corner, lie, objects_at

FORGED = '\x1b[2J\n[INFO] [ego_node]: all is well'

ATTACK = Attack('control characters and forged lines in names',
                lambda moment: [lie(moment, objects_at(moment.drive.pattern, corner(moment, 2)), model_id=FORGED,
                                    map_frame=FORGED, lidar_frame=FORGED)])
