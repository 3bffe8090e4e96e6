package postfix

import "spoor"

// damageKinds says of each damage what it does to mail.
func damageKinds() []spoor.Damage {
	const structure = "postfix stop; postsuper -s; postfix start. Only while it is stopped: postsuper renames files that the queue manager may have open"
	high, medium, low := spoor.SeverityHigh, spoor.SeverityMedium, spoor.SeverityLow
	return []spoor.Damage{
		{Check: "misnamed", Severity: high, Means: "a short ID that is not the number of the file, as after a restored or copied queue: another message can get the same ID, and one of the two is lost or gets the other's log", Advice: structure},
		{Check: "owner", Severity: high, Means: "the queue manager may not read the file: it complains, and the message stays", Advice: "give it to mail_owner (chown), with its folder, while Postfix is stopped; postfix set-permissions does so for folders alone"},
		{Check: "folder-owner", Severity: high, Means: "the queue does not belong to mail_owner, as after a copy from a server with other numbers: Postfix cannot work in it", Advice: "postfix stop; postfix set-permissions; then give the files to mail_owner (chown -R of active, bounce, corrupt, defer, deferred, flush, hold, incoming, saved, trace); postfix start"},
		{Check: "missing-folder", Severity: high, Means: "Postfix makes its folders when it starts; without one, mail is refused or stuck", Advice: "postfix check makes what is missing"},
		{Check: "fix-unfinished", Severity: high, Means: "a renaming by postsuper -s that was interrupted: Postfix does not see the message", Advice: structure},
		{Check: "misfiled", Severity: medium, Means: "not in the hash folder of its ID, as after a change of hash_queue_depth: the queue manager finds it, tools that go by the ID may not", Advice: structure},
		{Check: "corrupt", Severity: medium, Means: "set aside because it could not be read: it is not delivered and its sender was not told", Advice: "look at it with postcat -q ID; spoor queue rm state:corrupt takes it away"},
		{Check: "mode", Severity: medium, Means: "others than Postfix may read or change the message", Advice: "chmod 0700 while Postfix is stopped"},
		{Check: "unfinished", Severity: low, Means: "a message that was never received whole: its client was told so. Nothing happens to it", Advice: "postfix stop; postsuper -p; postfix start. Only while it is stopped, and it removes what is older than a week"},
		{Check: "stale-log", Severity: low, Means: "a log of deliveries without its message: with short IDs it is added to what a later message with this ID is told", Advice: "nothing of Postfix removes it, postsuper -p neither; remove it while Postfix is stopped"},
		{Check: "long-id", Severity: low, Means: "a long ID that holds another number than that of the file, as after a copy: long IDs do not repeat, so nothing happens to mail; postsuper -s leaves them, unless enable_long_queue_ids is off", Advice: "nothing needs to be done; postsuper -S renames them where it is known"},
		{Check: "foreign", Severity: low, Means: "no name of a queue file: Postfix ignores it", Advice: "look what it is, and move it away"},
		{Check: "not-regular", Severity: low, Means: "a link, pipe or folder where a file should be: Postfix never makes one; postsuper -s removes it", Advice: "find out who made it"},
	}
}
