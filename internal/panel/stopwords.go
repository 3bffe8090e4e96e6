package panel

import "strings"

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// Mailbox reports whether a word is an address as mailboxes of panels have them,
// and so can be an argument of a program: letters, digits and . _ + - around one @.
func Mailbox(word string) bool {
	local, domain, ok := strings.Cut(word, "@")
	return ok && local != "" && domain != "" && len(word) <= 254 && local[0] != '-' && domain[0] != '-' &&
		strings.Trim(local, plain+"._+-") == "" && strings.Trim(domain, plain+".-") == ""
}

// Login reports whether a word is a login as panels give them out.
func Login(word string) bool {
	return word != "" && len(word) <= 64 && word[0] != '-' && strings.Trim(word, plain+"._-") == ""
}

// Number reports whether a word is a whole number, or -1 for "no limit".
func Number(word string) bool {
	return word == "-1" || word != "" && len(word) < 10 && strings.Trim(word, "0123456789") == ""
}
