"""What everything above agrees on: errors, the generator's description, artifact containers."""
