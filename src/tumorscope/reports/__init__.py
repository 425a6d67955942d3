"""Results → drawn figures, tables and pages; nothing is computed here."""
