"""Model file + `Slice` → `Finding`: engines, input check, abstention, evidence, batches."""
