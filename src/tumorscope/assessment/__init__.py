"""How good a model or run is on labelled images, how robust, how fast, and what it has seen."""
