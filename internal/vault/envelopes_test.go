package vault_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"spoor"
	"spoor/internal/vault"
)

// TestEnvelopesAreReadByThemselves is about small messages and one whose recipients
// take more than a frame.
func TestEnvelopesAreReadByThemselves(t *testing.T) {
	folder := t.TempDir()
	v := open(t, folder, nil)
	parcels := []*spoor.Parcel{letter(0), letter(1), letter(2), letter(3)}
	parcels[1].Envelope = nil
	parcels[2].Envelope = nil
	for i := range 60_000 {
		parcels[2].Envelope = append(parcels[2].Envelope, spoor.Recipient{Address: fmt.Sprintf("someone%d at\n@there.example", i), Channel: spoor.ChannelLocal, Done: i%2 == 0})
	}
	store(t, v, "p", parcels...)
	n := 0
	for envelope, err := range v.Envelopes("p") {
		must(t, err)
		got, err := vault.ParseEnvelope(envelope.Text)
		must(t, err)
		if want := parcels[n].Envelope; envelope.Sequence != uint64(n+1) || !reflect.DeepEqual(got, want) {
			t.Errorf("message %d has %d recipients, want %d", envelope.Sequence, len(got), len(want))
		}
		n++
	}
	if n != len(parcels) {
		t.Errorf("%d envelopes, want %d", n, len(parcels))
	}
	name := filepath.Join(folder, "p.spoorvault")
	image, err := os.ReadFile(name)
	must(t, err)
	clear(image[32+60 : 32+70]) // in the content of the first message
	must(t, os.WriteFile(name, image, 0o600))
	for envelope, err := range v.Envelopes("p") {
		must(t, err)
		if envelope.Sequence == 1 {
			t.Error("a damaged envelope was read")
		}
		n--
	}
	if n != 1 {
		t.Errorf("%d envelopes are missing, want one", n)
	}
}
