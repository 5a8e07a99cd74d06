"""From point clouds to BEV features."""
