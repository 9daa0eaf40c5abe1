"""The risk classes: stable names, from worst to none, each with what it says, why it matters, what to check and what
to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Risk:
    """A class of risk. `family` groups classes for --fail-on; the order of RISKS is the order of severity."""

    name: str
    family: str
    what: str
    why: str
    check: str
    remedy: str


RISKS: tuple[Risk, ...] = (
    Risk(
        "preview-incomplete",
        "incomplete",
        "The preview ended with an error, so it does not hold all that an update would do.",
        "What is missing cannot be judged; a clean report of half a plan would be a lie.",
        "Read the engine's errors in the report.",
        "Mend the error and preview again. This class cannot be waived.",
    ),
    Risk(
        "access-broadened",
        "access",
        "A policy, attachment or permission allows something that was refused before.",
        "Access that was never asked for is how a leaked key becomes a breach.",
        "Read the witness: a request that was refused before and would be allowed now, and the statement that allows "
        "it.",
        "Name the exact actions and resources, or add the condition that keeps the request refused.",
    ),
    Risk(
        "provider-moved",
        "access",
        "Where resources are managed changes: a provider with its account, region, endpoint or plugin.",
        "Everything below it then means another account or service, without any property of it changing.",
        "Account, region, endpoint and plugin before and after, and whose credentials are sent there.",
        "Make a second provider, and move what is meant to move on purpose.",
    ),
    Risk(
        "unreviewed",
        "access",
        "A type, a property or an operation changes that nobody has reviewed, so nobody knows what it opens.",
        "A list of what is dangerous is never complete: most ways of giving access have a name that sounds harmless.",
        "The property and both values in the finding, and whom or what they name.",
        "Approve it by reading the program; if it is harmless for good, say so with its reason in the reviewed tables.",
    ),
    Risk(
        "access-unknown",
        "access",
        "Access changes, and the preview does not show enough to prove that it is not broadened.",
        "What cannot be proved is not safe: a policy that is known only after apply can say anything.",
        "See which values are unknown and where they come from; compare the known part.",
        "Build the document from known parts (account, region, name) instead of a new resource's ARN, or approve it "
        "by reading the program.",
    ),
    Risk(
        "credential-created",
        "access",
        "A new credential comes into being: an access key, a password, a service credential, a service connection.",
        "Every credential can leak, and works until somebody deletes it.",
        "Who holds it, where it is published, and which policies its owner has.",
        "Prefer federation; else let the key be declared with a rotation and store it only as a secret.",
    ),
    Risk(
        "group-membership",
        "access",
        "Who belongs to a group changes.",
        "A member gets every policy of the group, without any policy document changing.",
        "The policies attached to the group, and whether the member should have all of them.",
        "Give the member a group of its own with the rights that it needs.",
    ),
    Risk(
        "boundary-removed",
        "access",
        "A permissions boundary is removed from a user or role, or replaced by one that cannot be compared.",
        "The boundary is the upper limit; without it every attached policy counts in full.",
        "What the attached policies allow beyond the old boundary.",
        "Keep the boundary, or narrow the policies first.",
    ),
    Risk(
        "trust-changed",
        "access",
        "Who may assume a role changes, or an identity provider is added or changed.",
        "Trust decides who becomes the role; a missing subject condition lets a whole organisation in.",
        "Principals and conditions; for federation, issuer, audience and subject, each matched with StringEquals.",
        "Name the exact subject; keep old and new statement side by side while migrating.",
    ),
    Risk(
        "group-opened",
        "access",
        "A variable group or another protected resource is opened to all pipelines of the project.",
        "Whoever can push a branch with a pipeline can then read its secrets.",
        "Whether any pipeline but the intended one needs it.",
        "Leave allowAccess off and authorise the one pipeline (PipelineAuthorization with pipelineId).",
    ),
    Risk(
        "pipeline-authorized",
        "access",
        "One more pipeline may use a variable group, environment, queue or service connection.",
        "The pipeline, and all who can change it, reach what the resource holds.",
        "Which pipeline it is and who can change its YAML.",
        "Keep the authorisation to the pipeline that delivers.",
    ),
    Risk(
        "guard-weakened",
        "access",
        "An approval, an exclusive lock, a branch control or a branch policy is removed or changed.",
        "These are what stands between a commit and production.",
        "Who approves now, and how many; whether a requester may approve their own change.",
        "Keep the check; change it apart from other work, with its own approval.",
    ),
    Risk(
        "loss-repository-replaced",
        "loss",
        "A container repository would be deleted and made anew.",
        "Every image in it is lost, also the one that runs.",
        "Which property forces it: name and encryption cannot be changed in place.",
        "Keep the property, or make a second repository and copy the images before the first is removed.",
    ),
    Risk(
        "loss-repository-deleted",
        "loss",
        "A container repository would be deleted.",
        "Every image in it is lost; what runs cannot be started again.",
        "What still pulls from it.",
        "Keep the images elsewhere first; protect the resource.",
    ),
    Risk(
        "loss-force-delete",
        "loss",
        "Deleting a resource would no longer be refused while it still holds something (forceDelete, forceDestroy).",
        "The refusal is the last guard against losing data by a rename or a destroy.",
        "Whether a deletion is planned at all.",
        "Leave it off; turn it on for the one update that is meant to delete.",
    ),
    Risk(
        "loss-variable-group",
        "loss",
        "A variable group would be deleted or replaced.",
        "Its secrets cannot be read back, its id changes and pipelines lose their authorisation.",
        "Which pipelines name it, and whether all of its values are declared.",
        "Rename in place; never let projectId change.",
    ),
    Risk(
        "loss-credential",
        "loss",
        "An access key or another credential would be deleted or replaced.",
        "Whatever still uses the old one stops working at that moment.",
        "Last use of the old key, and every place it is published; see the rotation row.",
        "Rotate with an overlap: create the new key, move its users, then delete the old one.",
    ),
    Risk(
        "loss-protection-removed",
        "loss",
        "A resource loses its protection against deletion (protect, retainOnDelete, deletionProtection).",
        "The next plan can delete it without a further word.",
        "Whether a deletion follows and is wanted.",
        "Keep the protection; lift it in the change that deletes.",
    ),
    Risk(
        "loss-lifecycle-expires-more",
        "loss",
        "A lifecycle policy would, or could, expire more images than before.",
        "An image that runs can be expired; the next start of a container then fails.",
        "Count and age of the images that must stay, deployed digests first.",
        "Raise the number that is kept, or select by tag pattern so that what runs never matches.",
    ),
    Risk(
        "loss-resource",
        "loss",
        "A resource would be deleted or replaced.",
        "What it holds, its id and its address go with it.",
        "What depends on it, and which property forces the replacement.",
        "Change in place, or add an alias where it was only renamed.",
    ),
    Risk(
        "exposure-secret-in-clear",
        "exposure",
        "A secret stops being a secret, or stands in clear in the plan.",
        "It is then readable in the state, in previews, in logs and to every reader of the stack.",
        "Which property it is, and where its value came from.",
        "Mark it (Output.secret, require_secret, isSecret) and change the value: it has been seen.",
    ),
    Risk(
        "exposure-mutable-tags",
        "exposure",
        "Tags of a repository can be moved to another image.",
        "What was reviewed and scanned under a tag need not be what runs (Security Hub ECR.2).",
        "Which tags move, and whether deployments pull by digest.",
        "Set imageTagMutability to IMMUTABLE.",
    ),
    Risk(
        "exposure-scan-off",
        "exposure",
        "Images are not scanned when they are pushed.",
        "Known vulnerabilities go unseen (Security Hub ECR.1).",
        "Whether the registry has a scanning rule of its own for this repository.",
        "Set imageScanningConfiguration.scanOnPush to true.",
    ),
    Risk(
        "exposure-encryption-weaker",
        "exposure",
        "Encryption at rest becomes weaker: off, or from an own key to the service's.",
        "Access to the key can then no longer be withdrawn or followed (Security Hub ECR.5).",
        "Whether a control asks for a customer key.",
        "Keep the KMS key.",
    ),
    Risk(
        "rotation",
        "rotation",
        "A secret is replaced by another, though no value is visible.",
        "What uses the old value breaks or moves to the new one: key, variables, pipelines, in this order.",
        "That everything which holds the old value is in the row's list.",
        "Run the listed pipelines after the update; delete the old key only when its last use lies back.",
    ),
    Risk(
        "policy-violation",
        "policy",
        "A policy pack reports a violation.",
        "It is a rule that this organisation gave itself.",
        "Message and level of the policy.",
        "Follow the policy's message, or change the rule where rules are kept.",
    ),
    Risk(
        "waiver-expired",
        "waiver",
        "A waiver is past its date, so what it waived counts again.",
        "An exception that nobody looks at any more is a hole.",
        "Whether its reason still holds.",
        "Mend the finding, or have the waiver reviewed and dated anew.",
    ),
    Risk(
        "waiver-unused",
        "waiver",
        "A waiver matches no finding of this plan.",
        "It would silently waive the next one that matches.",
        "Whether the finding is mended for good, or its URN changed.",
        "Remove the waiver.",
    ),
    Risk(
        "access-narrowed",
        "change",
        "Access becomes less, provably.",
        "No one gains; somebody may lose a right that they use.",
        "The witness: a request that was allowed and would be refused.",
        "Nothing, if the right is unused.",
    ),
    Risk(
        "change",
        "change",
        "A resource is created, updated or moved, with no risk that this tool knows.",
        "It is still a change.",
        "The properties that change.",
        "Nothing.",
    ),
    Risk("none", "none", "Nothing changes.", "There is nothing to approve.", "Nothing.", "Nothing."),
)
