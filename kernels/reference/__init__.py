"""Plain numpy float64 definitions of every operation, against which all fast paths are held."""
