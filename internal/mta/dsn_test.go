package mta

import "testing"

func TestBoundaries(t *testing.T) {
	f := func(contentType, want string) {
		t.Helper()
		if got := boundaryOf(contentType); got != want {
			t.Errorf("boundaryOf(%q) = %q, want %q", contentType, got, want)
		}
	}
	f(`multipart/report; boundary="a b"`, "a b")
	f("multipart/report; Boundary=x; type=y", "x")
	f("multipar\xa0/report; boundary=", "")
	f("multipar\xa0\xa0/report; boundary=x", "x")
	f("boundary", "")
	f("", "")
}

func TestWhatBecameOfARecipient(t *testing.T) {
	f := func(status, recipient, action string) {
		t.Helper()
		n := ReadNotification("multipart/report; boundary=1795734025-eximdsn-350913261",
			[]byte("--1795734025-eximdsn-350913261\nContent-type: message/delivery-status\n\nReporting-MTA: dns; host.example\n\n"+status+"\n--1795734025-eximdsn-350913261\n"))
		if n.Recipient != recipient || n.Action != action {
			t.Errorf("%q: %q is %q", status, n.Recipient, n.Action)
		}
	}
	f("Action: delayed\nFinal-Recipient: rfc822;sales@shop.example\nStatus: 4.0.0\n", "sales@shop.example", "delayed")
	f("Action: failed\nFinal-Recipient: rfc822;x4@no.test\nStatus: 5.0.0\n\nAction: delayed\nFinal-Recipient: rfc822;b@no.test\n", "x4@no.test", "failed")
	f("Final-Recipient: rfc822; a@b.test\nAction: Delivered\n", "a@b.test", "delivered")
	f("Final-Recipient: rfc822; a@b.test\nAction: eaten\n", "a@b.test", "")
}

// FuzzNotification holds that what is read of a notification stands in it.
func FuzzNotification(f *testing.F) {
	f.Add("multipart/report; boundary=x", []byte("--x\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.test\nDiagnostic-Code: smtp; 550 no\n\n--x\nContent-Type: message/rfc822\n\nSubject: s\n\n--x--\n"))
	f.Add("multipar\xa0/report; boundary=", []byte("1"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		n := ReadNotification(contentType, body)
		if len(n.Recipient) > len(body) || len(n.Reason) > MaxReason || len(n.Original) > len(body) {
			t.Errorf("%d bytes became %+v", len(body), n)
		}
	})
}
