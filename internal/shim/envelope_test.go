package shim

import (
	"reflect"
	"testing"
)

func TestTheEnvelopeOfACommandLine(t *testing.T) {
	f := func(want Envelope, args ...string) {
		t.Helper()
		if got := ReadEnvelope(append([]string{"sendmail"}, args...)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", args, got, want)
		}
	}
	f(Envelope{})
	f(Envelope{Sender: "a@x.test", Recipients: []string{"b@x.test", "c@x.test"}}, "-i", "-f", "a@x.test", "b@x.test", "c@x.test")
	f(Envelope{Sender: "a@x.test", Recipients: []string{"-t"}}, "-fa@x.test", "--", "-t")
	f(Envelope{FromTop: true, Recipients: []string{"b@x.test"}}, "-ti", "-N", "never", "b@x.test")
	f(Envelope{Sender: "-t"}, "-r", "-t")
}
