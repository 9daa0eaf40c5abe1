"""A survey: what is really there, judged. `drift` and `keys` are surveys; they share model, rules and formats."""

from audit.survey.model import Survey, Table, TableRow

__all__ = ["Survey", "Table", "TableRow"]
