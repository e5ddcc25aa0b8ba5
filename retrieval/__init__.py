"""What the system means: passages, queries, vectors, versions, ranks and measures. No HTTP, no training."""
