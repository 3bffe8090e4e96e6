package exim

import "spoor"

// damageKinds says of each damage what it does to mail.
func damageKinds() []spoor.Damage {
	high, medium, low := spoor.SeverityHigh, spoor.SeverityMedium, spoor.SeverityLow
	return []spoor.Damage{
		{Check: "header-damaged", Severity: high, Means: "Exim cannot read the envelope or the header lines: it logs a spool format error at each queue run and never delivers the message; exiqgrep shows nothing else while it is there", Advice: "look at it, then take it out of the queue: spoor queue rm id:ID keeps it in the vault"},
		{Check: "data-damaged", Severity: high, Means: "the content does not begin with its own name: Exim refuses it and never delivers the message", Advice: "spoor queue rm id:ID takes it out of the queue and keeps it"},
		{Check: "no-data", Severity: high, Means: "a header without its content, as after a crash of the file system or rm: Exim never delivers the message", Advice: "look for the content in a backup; spoor queue rm id:ID takes the rest out of the queue and keeps it"},
		{Check: "no-header", Severity: high, Means: "a content without its header: Exim does not see the message, so nobody gets it, and nobody is told", Advice: "look for the header in a backup; otherwise move the file away and keep it"},
		{Check: "owner", Severity: high, Means: "Exim does not run as the owner of this file: it cannot read or rewrite it, and the message is stuck", Advice: "give it to the owner of its folder (chown) while no queue runner works"},
		{Check: "scattered", Severity: high, Means: "header and content are in different folders of the spool: Exim does not find one of them", Advice: "move both into the folder of the header, the content first, while Exim is stopped"},
		{Check: "twice", Severity: high, Means: "the same part is in two folders of the spool, as after a backup that was restored over it: a delivery removes one, and the other goes out again", Advice: "compare the two and move the older one away, while Exim is stopped"},
		{Check: "hints-damaged", Severity: medium, Means: "no database that Exim can read: it complains at each delivery, and forgets which hosts are down", Advice: "remove it, and its .lockfile, while Exim is stopped: Exim makes it anew, and only what it remembered of hosts is lost"},
		{Check: "hints-owner", Severity: medium, Means: "Exim cannot write what it remembers of hosts: it tries dead ones again and again", Advice: "give it to the owner of the spool (chown); exim commands that root ran may have made it"},
		{Check: "hints-large", Severity: medium, Means: "a very large database of hints: each delivery reads and locks it", Advice: "exim_tidydb of the spool folder and the database's name removes what is old; Exim may run"},
		{Check: "stray-journal", Severity: low, Means: "what was delivered of a message that is not there any more: nothing happens to mail", Advice: "move it away"},
		{Check: "stale-msglog", Severity: low, Means: "a log of a message that is not there any more: it only takes space", Advice: "move it away"},
		{Check: "foreign", Severity: low, Means: "no file of a message: Exim ignores it", Advice: "look what it is, and move it away"},
		{Check: "not-regular", Severity: low, Means: "a link, pipe or folder where a file should be: Exim never makes one", Advice: "find out who made it"},
	}
}
