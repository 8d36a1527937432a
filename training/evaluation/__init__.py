"""How good the samples are: classes, confidence, diversity, distance to real data."""
