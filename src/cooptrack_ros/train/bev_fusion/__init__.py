"""Training of the fusion of BEV features, on those of two networks that are trained already."""
