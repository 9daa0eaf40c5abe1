"""What must appear in no report."""
