"""Frame by frame: the tracker, fusion of received instances, the life cycle of tracks, the ego agent."""
