"""What runs leave on disk: folders, protocols and scores; and whether a run may be resumed."""
