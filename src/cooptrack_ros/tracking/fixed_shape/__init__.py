"""The tracking step in tensors of fixed shapes, for export and graphs of a device."""
