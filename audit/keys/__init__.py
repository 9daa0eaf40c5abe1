"""Access keys, their age and use, and where each is published."""
