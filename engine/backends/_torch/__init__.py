"""Programs in torch: plain operations, and layers in the forms that oneDNN is fastest in."""
