package qmail

import "spoor"

// Users of qmail, and the numbers that Plesk and "Life with qmail" give them. A
// number counts only where passwd has no such user: a capture without one.
var users = [...]struct {
	login   string
	numbers [2]int
	via     spoor.Via
}{
	{"qmaild", [2]int{2020, 7791}, spoor.ViaNetwork},
	{"qmails", [2]int{2522, 7796}, spoor.ViaBounce},
	{"alias", [2]int{2021, 7790}, spoor.ViaForward},
}

// Via tells how messages enter that qmail-send logs under a UID (qmail-queue(8):
// "invoked from network", "for bounce", "by alias").
func (q *Queue) Via(uid int) spoor.Via {
	for _, user := range users {
		account, ok := q.passwd.ByLogin(user.login)
		switch {
		case ok && account.UID == uid:
			return user.via
		case !ok && (uid == user.numbers[0] || uid == user.numbers[1]):
			return user.via
		}
	}
	return spoor.ViaUID
}

// LocalAddress removes from a local address what virtualdomains put before it.
func (q *Queue) LocalAddress(address string) string { return q.control.StripPrefix(address) }
