package qmail

import "strings"

// Trees that a rebuild of /var/qmail/queue makes are siblings of it.
const (
	newInfix   = ".new."   // the tree in the making; after an undo, the one that was made
	oldInfix   = ".old."   // the tree that was replaced
	asideInfix = ".spoor." // the records of the rebuild, quarantine and lost+found
)

// maxPlan is the longest ID of a plan, in bytes.
const maxPlan = 64

// validPlan reports whether a word may name a plan: letters, digits and hyphens.
func validPlan(plan string) bool {
	return plan != "" && len(plan) <= maxPlan && strings.Trim(plan, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}
