"""The rules of surveys: stable names, from worst to least, each with what it says, why it matters, what to check and
what to do. A family groups rules for --fail-on, as in `audit plan`."""

from audit.errors import AuditError
from audit.risks import Risk

RULES: tuple[Risk, ...] = (
    Risk(
        "look-up-refused",
        "incomplete",
        "Something could not be looked up, so that it is as it should be cannot be proved.",
        "A report that leaves out what it may not see would be green for the wrong reason.",
        "Which permission is named, and whether the audit's identity should have it.",
        "Grant the read permission that is named, or look with another identity.",
    ),
    Risk(
        "drift-access-broadened",
        "access",
        "A policy, an attachment or an inline policy that is really there allows more than the stack records.",
        "Access that no plan showed was given by hand, and no review saw it.",
        "The witness: a request that is allowed and should not be; who changed it, in the cloud's audit log.",
        "`pulumi up` puts a changed document back; detach or delete what the stack does not declare.",
    ),
    Risk(
        "drift-access-unknown",
        "access",
        "Access differs from what the stack records, and that it is not broader cannot be proved.",
        "What cannot be proved is not safe.",
        "Both documents, side by side.",
        "Put the declared document back, or declare the new one and have it reviewed.",
    ),
    Risk(
        "drift-credential",
        "access",
        "A credential exists, or is active, that the stack does not record: an access key, a password, a certificate.",
        "Whoever made it can act as the user, outside of rotation and of every report.",
        "When it was made and last used (`audit keys`), and by whom.",
        "Deactivate it, see that nothing breaks, delete it.",
    ),
    Risk(
        "drift-membership",
        "access",
        "Who belongs to a group differs from what the stack records.",
        "A member gets every policy of the group.",
        "Who was added or removed, and by whom.",
        "Take the member out, or declare it.",
    ),
    Risk(
        "drift-boundary",
        "access",
        "A permissions boundary is gone or is another one.",
        "The boundary is the upper limit of what attached policies can allow.",
        "What the attached policies allow beyond it.",
        "`pulumi up` puts it back.",
    ),
    Risk(
        "drift-trust",
        "access",
        "Who may assume a role differs from what the stack records.",
        "Trust decides who becomes the role.",
        "Principals and conditions.",
        "`pulumi up` puts the document back.",
    ),
    Risk(
        "drift-group-opened",
        "access",
        "A protected resource of Azure DevOps is open to all pipelines of the project, and the stack does not say so.",
        "Whoever can push a branch with a pipeline can then read its secrets.",
        "Who opened it, and which pipelines ran since.",
        "Close it; rotate the key if a pipeline ran that should not have had it.",
    ),
    Risk(
        "drift-pipeline-authorized",
        "access",
        "A pipeline may use a protected resource, and the stack does not authorise it.",
        "The pipeline, and all who can change it, reach what the resource holds.",
        "Which pipeline it is, and who authorised it.",
        "Withdraw the authorisation, or declare it.",
    ),
    Risk(
        "drift-guard-weakened",
        "access",
        "An approval, a lock or a branch policy is gone, off or changed.",
        "These stand between a commit and production.",
        "Which setting differs, and who changed it.",
        "`pulumi up` puts it back.",
    ),
    Risk(
        "drift-image-missing",
        "loss",
        "The image that the stack deployed is not in the registry any more.",
        "What runs cannot be started again, and no provider notices.",
        "Whether a lifecycle rule or a person removed it.",
        "Build and push it again (`pulumi up --replace` of the image), or deploy another.",
    ),
    Risk(
        "drift-lifecycle-expires-deployed",
        "loss",
        "The repository's lifecycle policy expires the image that is deployed.",
        "Within a day of the rule matching, the image is gone and a new container cannot start.",
        "Which rule selects it, and when.",
        "Raise the number or the age that is kept, or select so that what runs never matches.",
    ),
    Risk(
        "drift-missing",
        "loss",
        "A resource that the stack records is not there.",
        "What depends on it is broken or unguarded.",
        "Who deleted it, and what it held.",
        "`pulumi refresh`, then `pulumi up` makes it anew.",
    ),
    Risk(
        "key-published-but-gone",
        "loss",
        "A variable group publishes an access key that does not exist or is not active.",
        "Every pipeline that uses the group fails at its first call.",
        "Which key the pipelines should have.",
        "Finish the rotation: run `pulumi up`, so that the group holds the key in use.",
    ),
    Risk(
        "drift-secret-in-clear",
        "exposure",
        "A variable that should be secret is not.",
        "Everyone who can see the group can read it, and so can its pipelines' logs.",
        "Which variable it is, and since when.",
        "`pulumi up` after a rotation: the value has been seen.",
    ),
    Risk(
        "drift-variables",
        "exposure",
        "The variables of a group are not those that the stack wrote, or were changed after it wrote them.",
        "A pipeline may run with another key, another account or a value that no one reviewed.",
        "Which variable differs; who changed the group, and when.",
        "`pulumi refresh`, then `pulumi up` writes the declared ones; where only a secret may differ, rotate the key: "
        "that writes the group anew.",
    ),
    Risk(
        "drift-tag-moved",
        "exposure",
        "The tag that the stack deployed names another image now, or none.",
        "Whoever deploys by tag runs something that was not reviewed.",
        "Who pushed the other image; whether tags are immutable.",
        "Deploy by digest; push the reviewed image under a new tag.",
    ),
    Risk(
        "drift-exposure",
        "exposure",
        "A guard of a repository is lower than the stack records: tags can be moved, images are not scanned.",
        "What was reviewed and scanned need not be what runs.",
        "Who changed it, and what was pushed since.",
        "`pulumi up` puts it back.",
    ),
    Risk(
        "key-old",
        "exposure",
        "An active access key is older than allowed.",
        "The longer a key lives, the more copies of it there are (Security Hub IAM.3, CIS 1.14).",
        "What uses it.",
        "Rotate it: raise the key's generation, keep the one before until nothing uses it.",
    ),
    Risk(
        "key-unused",
        "exposure",
        "An active access key has not been used for longer than allowed.",
        "A key that nobody needs is only good for whoever finds it (Security Hub IAM.22, CIS 1.12).",
        "Whether it is used at all.",
        "Deactivate it, then delete it.",
    ),
    Risk(
        "key-two-active",
        "exposure",
        "A user has two active access keys: a rotation is not finished.",
        "The overlap is meant to be short; both keys work, and only one is looked after.",
        "Last use of the older one.",
        "End the overlap once the older key's last use lies back.",
    ),
    Risk(
        "key-not-published",
        "exposure",
        "An active access key is published in no variable group that was looked at.",
        "Nobody can say what uses it.",
        "Who made it, and its last use.",
        "Deactivate it, see that nothing breaks, delete it.",
    ),
    Risk(
        "key-inactive",
        "policy",
        "An inactive access key still exists.",
        "It can be made active again by whoever may change keys.",
        "Since when it is inactive.",
        "Delete it.",
    ),
    Risk(
        "drift-declared",
        "exposure",
        "What the stack declares is not what it recorded after its last update.",
        "The service or the provider did not take it; a review of the program approved something that is not there.",
        "Whether the provider or the service ignores the property.",
        "Find out why it was not taken; until then the declared value must not be relied on.",
    ),
    Risk(
        "drift-lifecycle",
        "change",
        "The lifecycle policy of a repository is not the recorded one, and does not expire what is deployed.",
        "The next image may be expired, or none ever.",
        "Which rule differs.",
        "`pulumi up` puts it back.",
    ),
    Risk(
        "drift-access-narrowed",
        "change",
        "Something that the stack gives access by allows less, provably, or is gone.",
        "No one gains; a pipeline may fail.",
        "The witness: a request that should be allowed and is not.",
        "`pulumi up` puts it back.",
    ),
    Risk(
        "drift-property",
        "change",
        "A property is not what the stack records.",
        "The next `pulumi up` may or may not notice.",
        "Who changed it.",
        "`pulumi refresh`, then `pulumi preview` shows what an update would do.",
    ),
    Risk("none", "none", "Nothing was found.", "What was looked at is as recorded.", "Nothing.", "Nothing."),
)

BY_NAME = {rule.name: rule for rule in RULES}
RANK = {rule.name: rank for rank, rule in enumerate(RULES)}
FAMILIES = tuple(dict.fromkeys(rule.family for rule in RULES))


def threshold(name: str) -> int:
    """The rank at and above which --fail-on NAME fails; a family stands for the least of its rules.

    Raises AuditError for a name that is neither.
    """
    if name in RANK:
        return RANK[name]
    ranks = [RANK[rule.name] for rule in RULES if rule.family == name]
    if not ranks:
        raise _unknown(name)
    return max(ranks)


def explain(name: str) -> str:
    """The text of `--explain NAME` for a rule, or for each rule of a family. Raises AuditError."""
    rules = [BY_NAME[name]] if name in BY_NAME else [rule for rule in RULES if rule.family == name]
    if not rules:
        raise _unknown(name)
    return "\n\n".join(
        f"{rule.name}  (family {rule.family})\n"
        f"  What    {rule.what}\n  Why     {rule.why}\n  Check   {rule.check}\n  Remedy  {rule.remedy}"
        for rule in rules
    )


def _unknown(name: str) -> AuditError:
    return AuditError(
        f"'{name[:80]}' is no rule and no family; rules, worst first: {', '.join(BY_NAME)}; families: "
        f"{', '.join(FAMILIES)}"
    )
