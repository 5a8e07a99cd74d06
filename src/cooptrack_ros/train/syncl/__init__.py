"""SynCL (arXiv:2411.06780): a second decoder pass without self-attention, richer labels, and a contrast of queries."""
