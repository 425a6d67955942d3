"""Do two pictures show the same? Thumbprints, normalised heads, alignment, pairs."""
