"""Speed, as ratios to a floor measured in the same run. Nothing here asserts a time."""
