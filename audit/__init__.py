"""Auditor of Pulumi plans: what a preview would do, to whom, and whether it is what was approved."""
