"""The demonstration: a town, a bag, the nodes over DDS, what they answered in numbers and pictures."""
