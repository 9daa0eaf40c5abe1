"""Say whether whoever queues a run of this pipeline may set variables of it, each of which every step sees.

Looks at the project's setting "Limit variables that can be set at queue time" and at the variables that the pipeline's
own definition offers. It changes nothing. Needs the pipeline's own token as SYSTEM_ACCESSTOKEN; its identity reads both
as everybody of the project does ("View builds", "View build pipeline").

Sources: https://learn.microsoft.com/rest/api/azure/devops/build/general-settings (enforceSettableVar; what the
organisation limits reads as limited in each project) and .../build/definitions (allowOverride).
"""

from __future__ import annotations

from typing import Any

from pipelines import agent

SECONDS = 30.0
REMEDY = "this step belongs to a run of the pipeline"


def ask(path: str) -> dict[str, Any]:
    """What the service answers of the run's own project. path: below _apis/build. Raises Stop."""
    try:
        import requests
    except ModuleNotFoundError:
        raise agent.Stop("the packages are not there: run the step that installs them first", agent.USAGE) from None

    base = agent.setting("SYSTEM_COLLECTIONURI", REMEDY).rstrip("/")
    project = agent.setting("SYSTEM_TEAMPROJECTID", REMEDY)
    token = agent.setting("SYSTEM_ACCESSTOKEN", "map it: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)")
    url = f"{base}/{project}/_apis/build/{path}"
    try:
        answer = requests.get(
            url, params={"api-version": "7.1"}, auth=("", token), timeout=SECONDS, allow_redirects=False
        )
    except requests.RequestException as error:
        raise agent.Stop(f"Azure DevOps could not be asked for {path}: {type(error).__name__}") from None
    # A wrong token is answered with a sign-in page: 203, or a redirect to it.
    if answer.status_code in (203, 302, 401, 403):
        raise agent.Stop(
            f"Azure DevOps does not show {path} to this run ({answer.status_code}): give the build service "
            '"View builds" and "View build pipeline" on the pipeline'
        )
    if not answer.ok:
        raise agent.Stop(f"Azure DevOps answered {answer.status_code} to GET {path}: {answer.text[:500]}")
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise agent.Stop(f"Azure DevOps answered GET {path} with no JSON object: is SYSTEM_COLLECTIONURI its address?")
    return said


def findings(settings: dict[str, Any], definition: dict[str, Any]) -> list[str]:
    """What is open, a sentence each. What the service does not say is open too."""
    found = []
    if settings.get("enforceSettableVar") is not True:
        found.append(
            "whoever queues a run may set any variable of it: switch on Project settings > Pipelines > Settings > "
            "Limit variables that can be set at queue time (docs/azure-devops.md)"
        )
    variables = definition.get("variables") or {}
    offered = sorted(name for name, one in variables.items() if one.get("allowOverride"))
    if offered:
        found.append(
            f"the pipeline lets whoever queues a run set {', '.join(offered)}: take them out under Pipelines > Edit > "
            "Variables; the pipeline's own are in its YAML"
        )
    return found


def main() -> None:
    """Entry point."""
    agent.parser(__doc__ or "").parse_args()
    number = agent.setting("SYSTEM_DEFINITIONID", REMEDY)
    found = findings(ask("generalsettings"), ask(f"definitions/{number}"))
    if found:
        raise agent.Stop("; ".join(found), agent.REFUSED)
    print("who queues a run sets no variable of it")


if __name__ == "__main__":
    agent.run(main)
