"""Where samples go: sheets, single images, arrays, shards, and the manifest of what made them.

Sinks take arrays of samples and know nothing of engines. What they leave is whole or absent.
"""
