"""The demonstration: a scene, a bag, the nodes over DDS, what they answered in numbers and pictures."""
