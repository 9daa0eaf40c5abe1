"""The one catalogue: the classes of plans and histories, the rules of what is looked up (drift, keys), and those of a
checkpoint (state). All are stable names, from worst to none, in families."""

from collections.abc import Iterable, Sequence

from audit.errors import AuditError
from audit.report.classes import RISKS, Risk
from audit.report.rules import RULES as _RULES
from audit.report.state_rules import STATE_RULES


class Catalogue:
    """A list of classes in order of severity."""

    def __init__(self, classes: Sequence[Risk], one: str, many: str) -> None:
        """`one` and `many`: how an error calls the classes."""
        self.by_name = {item.name: item for item in classes}
        self.rank = {item.name: rank for rank, item in enumerate(classes)}
        self.families = tuple(dict.fromkeys(item.family for item in classes))
        self._one, self._many = one, many

    def __getitem__(self, name: str) -> Risk:
        return self.by_name[name]

    def worst(self, names: Iterable[str]) -> str:
        """The most severe of the names; `none` for no names."""
        return min(names, key=self.rank.__getitem__, default="none")

    def threshold(self, name: str) -> int:
        """The rank at and above which --fail-on NAME fails: a family stands for the least severe of its classes.
        Raises AuditError for a name that is neither."""
        return max(self.rank[item.name] for item in self._named(name))

    def explain(self, name: str) -> str:
        """The text of --explain NAME for a class, or for each class of a family. Raises AuditError."""
        return "\n\n".join(
            f"{item.name}  (family {item.family})\n"
            f"  What    {item.what}\n  Why     {item.why}\n  Check   {item.check}\n  Remedy  {item.remedy}"
            for item in self._named(name)
        )

    def _named(self, name: str) -> list[Risk]:
        if name in self.by_name:
            return [self.by_name[name]]
        found = [item for item in self.by_name.values() if item.family == name]
        if not found:
            raise AuditError(
                f"'{name[:80]}' is no {self._one} and no family; {self._many}, worst first: {', '.join(self.by_name)}; "
                f"families: {', '.join(self.families)}"
            )
        return found


CLASSES = Catalogue(RISKS, "risk class", "classes")
RULES = Catalogue(_RULES, "rule", "rules")
STATE = Catalogue(STATE_RULES, "rule", "rules")
