"""The rules of `audit state`: stable names, from worst to least; a state is code, so the first ones are about what an
engine would run, the next about what it would delete."""

from audit.report.classes import Risk

STATE_RULES: tuple[Risk, ...] = (
    Risk(
        "state-form",
        "incomplete",
        "The checkpoint holds something that this tool does not know, so what an engine would do with it is not known.",
        "An engine reads every field; a field that nobody has judged can name a program, an address or a deletion.",
        "The field and the resource in the finding; which version of the engine wrote the checkpoint.",
        "Compare with the versions before (the bucket's, or `.pulumi/backups`); restore the last that passes. A newer "
        "engine's field is judged in audit/checkpoint first.",
    ),
    Risk(
        "state-foreign-code",
        "access",
        "The checkpoint names a program that an engine would fetch or run: a plugin from another address, of another "
        "version or package, with parameters or another environment; a hook; a snippet.",
        "The next preview runs it as whoever previews, with all of their credentials.",
        "Who wrote the state: the bucket's versions and access log. Run no pulumi command on the stack meanwhile.",
        "Restore the last checkpoint that passes, and change the credentials of whoever could write it.",
    ),
    Risk(
        "state-secrets-provider",
        "access",
        "The checkpoint's secrets are encrypted by something else than the stack's settings say.",
        "The next update would encrypt every secret for whoever holds that key.",
        "`secretsprovider` and `encryptionsalt` in the stack's settings file.",
        "Restore the checkpoint; a change on purpose is `pulumi stack change-secrets-provider`, which writes both.",
    ),
    Risk(
        "state-provider",
        "access",
        "A provider has other settings than the stack's, or a resource is managed by another provider.",
        "Credentials go to where the provider's settings say: another endpoint, organisation or account.",
        "The setting in the finding against the stack's settings file and your environment.",
        "Restore the checkpoint. Where you have changed the setting yourself, name the old value too: --value KEY=OLD.",
    ),
    Risk(
        "state-foreign-resource",
        "loss",
        "The checkpoint records a resource that this program cannot declare: of another type, name, stack or project.",
        "What a program does not declare, the next update deletes, with the rights of whoever updates.",
        "Whose resource it is.",
        "Restore the checkpoint, or take the record out: `pulumi state delete URN` (the resource stays). What the "
        "program does declare by now belongs into the file of --expect.",
    ),
    Risk(
        "state-foreign-name",
        "loss",
        "A record under a name of this program means something else: its id or a property is not what settings say.",
        "An update changes or deletes what the id says, whatever the record is called.",
        "Whose the recorded thing is.",
        "Restore the checkpoint. Where you are about to rename it yourself, name the old value too: --value KEY=OLD.",
    ),
    Risk(
        "state-relation",
        "loss",
        "Parent, dependencies or order of the records do not fit together, or one is there twice.",
        "They decide what is deleted, when, and along with what.",
        "The two records in the finding.",
        "Restore the checkpoint.",
    ),
    Risk(
        "state-option",
        "loss",
        "A record carries an option that the program does not give it, or lacks one that it does: protection, aliases, "
        "what a deletion keeps or takes along, what a change ignores.",
        "An option decides whether the next update deletes, keeps, replaces or overlooks.",
        "The option, and who set it (`pulumi state protect`, `pulumi state taint`).",
        "Restore the checkpoint, or set it back (`pulumi state ...`).",
    ),
    Risk(
        "state-secret",
        "exposure",
        "A secret stands in clear in the checkpoint, or stands where none may be.",
        "Whoever may read the state has it.",
        "Which property it is, and who may read the state.",
        "Rotate it: it has been seen. The next update seals it.",
    ),
    Risk(
        "state-interrupted",
        "change",
        "An update was interrupted: operations are pending, or replaced resources wait for their deletion.",
        "The next update goes on with it.",
        "That it was an update of yours.",
        "`pulumi up`; `pulumi refresh` where it asks what became of a creation.",
    ),
    Risk("none", "none", "Nothing was found.", "All that is recorded is of this program.", "Nothing.", "Nothing."),
)
