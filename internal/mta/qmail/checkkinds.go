package qmail

import "spoor"

// damageKinds says of each damage what it does to mail.
func damageKinds() []spoor.Damage {
	const repair = "spoor queue rebuild -n"
	high, medium, low := spoor.SeverityHigh, spoor.SeverityMedium, spoor.SeverityLow
	return []spoor.Damage{
		{Check: "misfiled", Severity: high, Repair: repair, Means: "qmail does not find these files: the messages are not delivered, and stay for ever"},
		{Check: "beheaded", Severity: high, Repair: repair, Means: "content and recipients without a sender, as after rm in a running queue: qmail-send complains about them and never delivers them; their numbers may be given to new messages, which then go out twice"},
		{Check: "no-content", Severity: high, Repair: repair, Means: "the message itself is lost: qmail-send tries for ever and cannot even bounce it"},
		{Check: "stale-bounce", Severity: high, Repair: repair, Means: "the text of an old bounce: it goes to the sender of the next message that gets this number"},
		{Check: "content-owner", Severity: high, Repair: repair, Means: "qmail-lspawn and qmail-rspawn refuse a content that is not qmailq's: every delivery is put off with \"message has wrong owner\""},
		{Check: "file-owner", Severity: high, Repair: repair, Means: "the part of qmail that needs these files cannot read or remove them: the messages are stuck"},
		{Check: "folder-owner", Severity: high, Repair: repair, Means: "the part of qmail that works in these folders may not: new mail is refused, or queued mail is stuck"},
		{Check: "missing-folder", Severity: high, Repair: repair, Means: "qmail-queue refuses each message whose number belongs here, and qmail-send stops to work at it"},
		{Check: "todo-layout", Severity: high, Repair: repair, Means: "of todo and intd one has split folders and the other has none: new mail is refused, or never looked at"},
		{Check: "info-damaged", Severity: high, Repair: repair, Means: "the sender is lost, as after a crash of the file system: the message is not delivered"},
		{Check: "todo-damaged", Severity: high, Repair: repair, Means: "the envelope is damaged or from a qmail with other records: qmail-send skips the message at each look, or delivers it to fewer recipients"},
		{Check: "empty-content", Severity: high, Means: "the message has no content any more, as after a crash of the file system: an empty message goes out", Advice: "look for the content in a backup; spoor queue rm takes it out of the queue"},
		{Check: "recipients-damaged", Severity: high, Means: "the list of recipients is cut off or holds unknown records: qmail-send leaves them out", Advice: "look at the file before you do anything: nobody else knows who has got the message"},
		{Check: "sendmutex-missing", Severity: high, Repair: repair, Means: "qmail-send does not start, and one that runs does not keep a second one away: all mail would go out twice"},
		{Check: "linked-folder", Severity: medium, Means: "a folder was moved and replaced by a link; qmail follows it", Advice: "a rebuild needs all folders on one file system: move it back while qmail is stopped"},
		{Check: "misnamed", Severity: medium, Repair: repair, Means: "the name is not the number of the file, as after a restored backup: new mail that gets such a number is refused, and two messages can be taken for one"},
		{Check: "folder-mode", Severity: medium, Repair: repair, Means: "others may look into the folder, or qmail itself may not work in it"},
		{Check: "file-mode", Severity: medium, Repair: repair, Means: "others may read or change mail, or qmail itself may not"},
		{Check: "sendmutex", Severity: medium, Repair: repair, Means: "whoever may open this file can keep qmail-send from starting"},
		{Check: "trigger", Severity: medium, Repair: repair, Means: "qmail-queue cannot wake qmail-send: new mail waits for up to 25 minutes"},
		{Check: "tcpto", Severity: medium, Repair: repair, Means: "receivers that do not answer are not remembered: deliveries to them take all places, and other mail waits"},
		{Check: "tcpto-owner", Severity: medium, Repair: repair, Means: "qmail-remote may be unable to remember receivers that do not answer"},
		{Check: "not-regular", Severity: medium, Repair: repair, Means: "a link, pipe, device or folder where a file should be: qmail never makes one; find out who did"},
		{Check: "extra-folder", Severity: low, Repair: repair, Means: "a split folder that qmail does not use"},
		{Check: "foreign", Severity: low, Repair: repair, Means: "no part of a queue: qmail ignores it, or complains about it in todo"},
		{Check: "file-group", Severity: low, Repair: repair, Means: "not the group that qmail gives: nothing happens to mail"},
		{Check: "stray-envelope", Severity: low, Repair: repair, Means: "an envelope that was being written when its content was lost"},
		{Check: "orphan", Severity: low, Repair: repair, Means: "messages that were never queued whole: the client was told so. qmail-send removes them 36 hours after the last access"},
		{Check: "orphan-old", Severity: low, Repair: repair, Means: "messages that were never queued whole and that qmail-send should have removed: it does not run, or something reads them again and again"},
		{Check: "pid-old", Severity: low, Repair: repair, Means: "left by a qmail-queue that was killed more than 36 hours ago; qmail-clean removes such files"},
		{Check: "unfinished-plan", Severity: medium, Means: "messages that a plan of spoor has taken out of the queue and not yet stored", Advice: "spoor journal says which plan; run it again, or undo it, before a rebuild"},
	}
}
