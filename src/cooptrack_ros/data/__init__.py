"""Data sets: the V2X-Seq-SPD reader, synthetic towns, point clouds and bags."""
