"""A model file → smaller or other formats, each compared on real images before it is kept."""
