"""One frame as a function of tensors of fixed shapes, without a wait for the device."""
