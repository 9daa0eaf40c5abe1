"""A stack's checkpoint against what its program may contain, before an engine reads it."""
