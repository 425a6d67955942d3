"""What runs leave on disk: folder, protocol, scores, and whether one may go on there."""
