package mta

// Programs are the programs of an MTA that matter to who sends mail now. Paths
// are below the root and need not exist.
type Programs struct {
	// Submit take mail from users of the server: sendmail and its like.
	Submit []string
	// Folders are where the MTA's own programs are, which talk SMTP for it.
	Folders []string
}

// Sendmail is where sendmail(1) is by convention, whichever MTA it belongs to.
func Sendmail() []string {
	return []string{"/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/sendmail", "/usr/local/sbin/sendmail"}
}
