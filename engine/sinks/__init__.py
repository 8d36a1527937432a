"""Where samples go: sheets, single PNGs, arrays, and the manifest that says what made them.

Sinks take arrays of samples and know nothing of engines. What they leave is whole or absent.
"""
