"""Training of the network: streaming clips, track-aware matching, losses, the stages."""
