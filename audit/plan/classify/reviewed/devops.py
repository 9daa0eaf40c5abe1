"""Reviewed types of Azure DevOps."""

from audit.plan.classify.properties import Rule
from audit.plan.classify.reviewed.entry import Ruled, entry

_OTHER_CODE = "the pipeline runs other code, with the rights that it has"
_OTHER_MACHINES = Rule("access-unknown", "changes", "its secrets and rights go to other machines")

TYPES: dict[str, Ruled] = {
    "azuredevops:index:VariableGroup": entry(
        "allowAccess",
        {"variables": "what pipelines read; whether it stays secret is judged"},
        "projectId variables",
        delete="loss-variable-group",
        replace="loss-variable-group",
        rules={"keyVault": Rule("access-unknown", "changes", "its values come from another vault or by other rights")},
    ),
    "azuredevops:index:PipelineAuthorization": entry(
        "*", create="group-opened", delete="access-narrowed", replace="group-opened"
    ),
    "azuredevops:index:ResourceAuthorization": entry(
        "*", create="group-opened", delete="access-narrowed", replace="group-opened"
    ),
    "azuredevops:index:GroupMembership": entry(
        "group members", {"mode": "whether others stay; who gains is judged"}, delete="change", replace="change"
    ),
    "azuredevops:index:TeamMembers": entry(
        "teamId members",
        {"mode": "whether others stay; who gains is judged"},
        fresh="projectId",
        delete="change",
        replace="change",
    ),
    "azuredevops:index:TeamAdministrators": entry(
        "teamId administrators",
        {"mode": "whether others stay; who gains is judged"},
        fresh="projectId",
        delete="change",
        replace="change",
    ),
    "azuredevops:index:Environment": entry("", {}, "projectId"),
    "azuredevops:index:Project": entry(
        "",
        {},
        "versionControl workItemTemplate features",
        rules={
            "visibility": Rule(
                "access-broadened", "order", "everybody may read it", ("private", "organization", "public"), "private"
            )
        },
    ),
    "azuredevops:index:ProjectPipelineSettings": entry(
        "",
        {"publishPipelineMetadata": "what is noted of a run"},
        "projectId",
        delete="guard-weakened",
        replace="guard-weakened",
        holds=False,
        rules={
            **dict.fromkeys(
                ("enforceJobScope", "enforceJobScopeForRelease", "enforceReferencedRepoScopedToken"),
                Rule("guard-weakened", "off", "the token of a run reaches more than its own project or repository"),
            ),
            "enforceSettableVar": Rule("guard-weakened", "off", "whoever queues a run may set any variable"),
            "statusBadgesArePrivate": Rule("guard-weakened", "off", "everybody may see how runs end"),
        },
    ),
    "azuredevops:index:BuildDefinition": entry(
        "",
        {
            **dict.fromkeys(
                ("ciTrigger", "schedules", "buildCompletionTriggers", "queueStatus"), "when it runs, not what it may do"
            ),
            "repository.reportBuildStatus": "what is noted at a commit",
            "agentSpecification": "the system of the machine",
            "features.skipFirstRun": "whether it runs at once",
        },
        "projectId path repository pullRequestTrigger agentPoolName jobAuthorizationScope",
        rules={
            **{
                f"repository.{name}": Rule("guard-weakened", "changes", _OTHER_CODE)
                for name in (
                    "repoType",
                    "repoId",
                    "branchName",
                    "ymlPath",
                    "url",
                    "githubEnterpriseUrl",
                    "serviceConnectionId",
                )
            },
            "pullRequestTrigger.forks.enabled": Rule("guard-weakened", "on", "code of anybody's fork is run"),
            "pullRequestTrigger.forks.shareSecrets": Rule(
                "access-broadened", "on", "code of anybody's fork gets its secrets"
            ),
            "jobAuthorizationScope": Rule(
                "access-broadened",
                "order",
                "the token of a run reaches every project",
                ("project", "projectCollection"),
            ),
            "variableGroups": Rule("pipeline-authorized", "grows", "the pipeline gets the values of the group"),
            "agentPoolName": _OTHER_MACHINES,
        },
    ),
}
