"""Several agents, one scene: pairing, compensation, matching, the radio channel, late fusion."""
