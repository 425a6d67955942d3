"""`Manifest` + `Recipe` → fitted Keras model, history and scores."""
