"""Labels of voxels of whole data sets: from scans and boxes, and compared with others."""
