"""How the model in the package is made, judged and described; no part of what is installed."""
