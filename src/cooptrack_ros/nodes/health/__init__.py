"""What nodes say of their own state: diagnostics, silence of inputs, the graph."""
