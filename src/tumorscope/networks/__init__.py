"""A recipe becomes a Keras network with starting weights, and the graph of a model file."""
