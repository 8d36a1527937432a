"""The `.gen` file: its bytes (`container`), its values (`records`), its Programs (`programs`)."""
