"""What the system means: passages, vectors, versions, ranks, measures. No HTTP, no training."""
