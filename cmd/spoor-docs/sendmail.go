package main

import "github.com/spf13/cobra"

// sendmailPage stands for spoor-sendmail, which has no command of spoor: it takes
// the arguments of sendmail(8).
func sendmailPage() *cobra.Command {
	return &cobra.Command{
		Use:   "spoor-sendmail [argument of sendmail]…",
		Short: "records who sends a message, and passes it on to the real sendmail",
		Long: `spoor-sendmail stands in front of sendmail(8): "spoor shim install" puts it there. It has
no options of its own. A call that sends no message becomes a call of the real sendmail at once.
For a message it asks the recorder (spoor-shim-serve(8)) for a signed ID, adds it as the field
X-Spoor-Origin on top of the message, behind the line that a mailbox puts there, and becomes
the real sendmail. All else of the message stays as it is, byte for byte.

The real sendmail is the first of these that is there: the program of its own name with
.spoor-real behind it, /etc/spoor/sendmail.real, /usr/sbin/sendmail.spoor-real, then
the places where sendmail usually is.

Whatever goes wrong with the record, the message passes, at most 50 milliseconds later. The exit status
is that of the real sendmail. Else it is 75 (EX_TEMPFAIL): there is no real sendmail, or a message
could not be held; 69 (EX_UNAVAILABLE): the message is over a limit and refused.

Files:

    /run/spoor/shim.sock             the recorder's socket
    /var/spool/spoor/origin/UID      notes, while there is no recorder
    /etc/spoor/sendmail.real         the real sendmail, where it has no usual place`,
		Example:           "  spoor-sendmail -t -i < message",
		Run:               func(*cobra.Command, []string) {},
		DisableAutoGenTag: true,
	}
}
