"""Do two pictures show the same? Thumbprints, portraits, alignment, pairs."""
