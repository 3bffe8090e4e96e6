package exim

import (
	"bytes"

	"spoor"
)

// identified reads whose program on this machine it is that talks SMTP. cPanel's
// configuration looks for the owner of the socket and logs it, before the message or
// while it comes. Other lines that begin so are of mail that is passed on. Where a field
// stands there twice, somebody has written one of them into another field.
//
//	SMTP connection identification H=localhost A=127.0.0.1 P=35036 U=shop ID=1001 S=shop B=identify_local_connection
func identified(b []byte, e *spoor.Event) spoor.LineSort {
	var address, login []byte
	port, uid := int64(0), int64(-1)
	for met := 0; len(b) > 0; {
		var word []byte
		word, b, _ = cutWord(b)
		name, value, ok := bytes.Cut(word, []byte{'='})
		if !ok || len(name) != 1 && string(name) != "ID" {
			return spoor.LineKnown
		}
		field := 0
		switch string(name) {
		case "A":
			field, address = 1, value
		case "P":
			field, port = 1<<1, number(value, 1<<16)
		case "U":
			field, login = 1<<2, value
		case "ID":
			field, uid = 1<<3, number(value, 1<<31)
		}
		if met&field != 0 {
			return spoor.LineKnown
		}
		met |= field
		b = bytes.TrimPrefix(b, []byte{' '})
	}
	if len(address) == 0 || port <= 0 || len(login) == 0 && uid < 0 {
		return spoor.LineKnown
	}
	e.Kind, e.Client, e.Port, e.Login, e.UID = spoor.EventIdentified, address, uint16(port), login, int32(uid)
	return spoor.LineEvent
}

// senderIdentified reads what the same configuration tells of a message when it is
// routed: the system user who sent it. Of mail from elsewhere it names -remote-.
//
//	Sender identification U=site1 D=shop.example S=info@shop.example
func senderIdentified(b []byte, e *spoor.Event) spoor.LineSort {
	login, ok := cut(b, "U=")
	if !ok {
		return spoor.LineKnown
	}
	if login, _, _ = bytes.Cut(login, []byte{' '}); len(login) == 0 || login[0] == '-' {
		return spoor.LineKnown
	}
	e.Kind, e.Login = spoor.EventIdentified, login
	return spoor.LineEvent
}

// number reads one below a limit, or -1.
func number(b []byte, limit int64) int64 {
	n, rest := digits(b)
	if len(b) == 0 || len(rest) > 0 || n >= limit {
		return -1
	}
	return n
}
