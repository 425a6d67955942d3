"""Everything that decides a training run, as TOML."""
