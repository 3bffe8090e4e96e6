package spoor

import "testing"

func TestReturnPathsOfForwardedMail(t *testing.T) {
	f := func(address string, want bool) {
		t.Helper()
		if got := IsReturnPath([]byte(address)); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
	f("SRS0=DUUI=JQ=far.example=jane@mx1.example.com", true)
	f("srs0+DUUI=JQ=far.example=jane@mx1.example.com", true)
	f("SRS1-DUUI=mx2.example==HHH=JQ=far.example=jane@mx1.example.com", true)
	f("SRS0=", true)
	f("SRS0", false)
	f("", false)
	f("srs@mx1.example.com", false)
	f("srs01@mx1.example.com", false)
	f("SRS2=x@mx1.example.com", false)
}
