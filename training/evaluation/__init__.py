"""How good the pictures are: measures, the command that takes them, and photos that nobody has cropped."""
