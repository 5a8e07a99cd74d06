"""From images, BEV features and queries to masks of voxels: TrackOcc on the features of the tracker."""
