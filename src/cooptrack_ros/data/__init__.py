"""Data sets: the V2X-Seq-SPD reader, synthetic scenes, point clouds and bags."""
