"""Judges every step of a redacted plan: one module for each family of risks."""

from audit.plan.classify.judge import judge

__all__ = ["judge"]
