"""How far apart honest pictures lie, how far dishonest ones, and where to draw the line between them."""
