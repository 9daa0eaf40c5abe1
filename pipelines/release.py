"""Write what was released: tag, digest, commit and what changed, as a page of the run and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines import agent, plan, words


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack that was updated")
    parser.add_argument("--plan", type=Path, required=True, help="report.json of what was applied")
    parser.add_argument("--outputs", type=Path, required=True, help="outputs that `pipelines.deploy` wrote")
    parser.add_argument("--into", type=Path, required=True, help="folder for release.md and release.json")
    options = parser.parse_args()
    outputs = agent.read_json(options.outputs, "the outputs that `pipelines.deploy` wrote")
    changes = plan.read(options.plan).steps
    release = {
        "stack": options.stack,
        "build": agent.optional("BUILD_BUILDNUMBER"),
        "commit": agent.optional("BUILD_SOURCEVERSION"),
        "tag": outputs.get("image_tag"),
        "image": outputs.get("image_by_tag"),
        "digest": outputs.get("image_by_digest"),
        "changes": [{"op": step.op, "type": step.type, "name": step.name} for step in changes],
    }
    options.into.mkdir(parents=True, exist_ok=True)
    (options.into / "release.json").write_text(json.dumps(release, indent=2) + "\n", encoding="utf-8")
    page = options.into / "release.md"
    page.write_text(markdown(release), encoding="utf-8")
    print(words.neutral(page.read_text(encoding="utf-8")))
    agent.upload_summary(page)


def markdown(release: dict[str, object]) -> str:
    """The release as a page."""
    rows = [
        f"| {name} | {words.code(str(release[name]))} |"
        for name in ("tag", "digest", "commit", "build")
        if release[name]
    ]
    changes = release["changes"]
    assert isinstance(changes, list)  # noqa: S101 (made above)
    listed = [f"- {row['op']} {words.code(row['type'])} {words.code(row['name'])}" for row in changes] or [
        "- nothing: it was applied before"
    ]
    return (
        "\n".join(
            [
                f"# Released to {release['stack']}",
                "",
                "| what | value |",
                "|---|---|",
                *rows,
                "",
                "What changed:",
                "",
                *listed,
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    agent.run(main)
