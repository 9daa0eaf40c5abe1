"""Reports for tests of formats."""

from audit.model import Finding, PolicyDiff
from audit.report import rules
from audit.report.catalogue import RULES
from audit.report.model import Report, Table, TableRow


def survey(text: str, command: str = "drift") -> Report:
    """A survey with a finding of every rule and the text in every place."""
    findings = [
        Finding(rule.name, f"urn:pulumi:dev::app-one::a:b:C::{text}", f"Reason {text}.", [text], proved=rank % 2 == 0)
        for rank, rule in enumerate(rules.RULES)
        if rule.name != "none"
    ]
    request = {"action": "ecr:PutImage", "resource": text, "principal": None, "context": {"aws:username": text}}
    findings[0].policy = PolicyDiff("policy", "broadened", {"a": text}, {"b": [text]}, [request], [request], [text])
    rows = [
        TableRow([text, text, {"list": [text, 1, None, True]}, None], "differs"),
        TableRow(["b", None, "", 0], "same"),
    ]
    columns = ("Property", "Declared", "Recorded", "Real")
    tables = [
        Table(text, columns, rows, subject=f"urn:pulumi:dev::app-one::a:b:C::{text}", kind="a:b:C", status="differs"),
        Table("as it should be", columns, rows[1:], subject="urn", kind="a:b:C"),
        Table("not compared", columns, [], subject="urn", kind="x:y:Z", status="not compared"),
    ]
    properties = [
        {"property": text, "declared": text, "recorded": [text], "real": None, "status": "differs"},
    ]
    data: dict[str, object] = {
        "resources": [{"urn": text, "type": "a:b:C", "status": "differs", "properties": properties}]
    }
    return Report(
        command,
        text,
        "dev",
        RULES,
        findings,
        tables=tables,
        counts={"resources": 3},
        notes=[text],
        sides=("Recorded", "Real"),
        data=data,
    )
