"""What a preview would do, and whether two would do the same."""
