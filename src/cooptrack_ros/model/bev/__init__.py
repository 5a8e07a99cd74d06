"""From image features to BEV features."""
