package host

import (
	"bytes"
	"fmt"
	"strconv"

	"spoor"
)

const (
	passwdFile  = "/etc/passwd"
	passwdLimit = 64 << 20 // bytes
)

// Account is one line of passwd(5).
type Account struct {
	Login string
	UID   int
	GID   int // primary group
	Home  string
	Shell string
	Line  int // in /etc/passwd, from 1
	Text  string
}

// Evidence quotes the line.
func (a Account) Evidence() spoor.Evidence {
	return spoor.Evidence{What: "passwd", File: passwdFile, Line: a.Line, Text: a.Text}
}

// Passwd is the user database of the examined server, never the machine's.
// The zero value knows nobody.
type Passwd struct {
	accounts []Account
	byUID    map[int]int // to the first line with that UID, as getpwuid(3) does
	byLogin  map[string]int
}

// Passwd reads /etc/passwd below the root. With an error, which is that of
// ReadFile, comes a Passwd that knows nobody. Lines that are not passwd(5) are
// counted in gaps.
func (r *Root) Passwd(gaps *spoor.Gaps) (*Passwd, error) {
	data, err := r.ReadFile(passwdFile, passwdLimit)
	if err != nil {
		return &Passwd{}, fmt.Errorf("read passwd: %w", err)
	}
	return ParsePasswd(data, gaps), nil
}

// ParsePasswd reads the text of a passwd(5) file.
func ParsePasswd(data []byte, gaps *spoor.Gaps) *Passwd {
	p := &Passwd{byUID: map[int]int{}, byLogin: map[string]int{}}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' || line[0] == '+' || line[0] == '-' {
			continue // blank, comment, NIS
		}
		account, ok := parseAccount(line)
		if !ok {
			gaps.Add(passwdFile, "line is not passwd(5)")
			continue
		}
		account.Line = number
		p.add(account)
	}
	return p
}

// parseAccount reads one line, such as
//
//	site1:x:10003:2523::/var/www/vhosts/site1.example:/bin/false
func parseAccount(line []byte) (Account, bool) {
	fields := bytes.Split(line, []byte{':'})
	if len(fields) != 7 || len(fields[0]) == 0 {
		return Account{}, false
	}
	uid, errUID := strconv.ParseUint(string(fields[2]), 10, 32)
	gid, errGID := strconv.ParseUint(string(fields[3]), 10, 32)
	if errUID != nil || errGID != nil {
		return Account{}, false
	}
	fields[1] = []byte("x") // an old passwd holds the hash here: never quote it
	return Account{
		Login: string(fields[0]), UID: int(uid), GID: int(gid),
		Home: string(fields[5]), Shell: string(fields[6]),
		Text: string(bytes.Join(fields, []byte{':'})),
	}, true
}

func (p *Passwd) add(a Account) {
	p.accounts = append(p.accounts, a)
	i := len(p.accounts) - 1
	if _, ok := p.byUID[a.UID]; !ok {
		p.byUID[a.UID] = i
	}
	if _, ok := p.byLogin[a.Login]; !ok {
		p.byLogin[a.Login] = i
	}
}

// ByUID returns the first account with that UID.
func (p *Passwd) ByUID(uid int) (Account, bool) {
	i, ok := p.byUID[uid]
	if !ok {
		return Account{}, false
	}
	return p.accounts[i], true
}

// ByLogin returns the account called login.
func (p *Passwd) ByLogin(login string) (Account, bool) {
	i, ok := p.byLogin[login]
	if !ok {
		return Account{}, false
	}
	return p.accounts[i], true
}

// All lists the accounts in the order of the file. The caller must not change
// the list.
func (p *Passwd) All() []Account { return p.accounts }
