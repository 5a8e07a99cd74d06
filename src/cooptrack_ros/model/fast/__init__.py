"""The network arranged for speed: same weights, same results to rounding, inference only."""
