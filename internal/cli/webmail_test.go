package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"spoor/internal/host/hosttest"
)

// TestAWebmailsUsersAreTracedToTheirBrowsers has a captured server whose mail comes
// from ::1: the webmail's log has the addresses behind it.
func TestAWebmailsUsersAreTracedToTheirBrowsers(t *testing.T) {
	root := hosttest.Unpack(t, "roundcube")
	want := map[string]map[string]int{}
	for _, truth := range hosttest.ReadTruth(t, "roundcube") {
		source := truth.Accept[0]
		if want[source] == nil {
			want[source] = map[string]int{}
		}
		want[source][truth.Client]++
	}
	for source, clients := range want {
		var out, problems bytes.Buffer
		if status := Main([]string{"--root", root, "show", source, "--json"}, testEnvironment(&out, &problems)); status != 0 {
			t.Errorf("%s: status %d\n%s", source, status, &problems)
			continue
		}
		var shown struct {
			Verdict   string `json:"verdict"`
			Sent      int    `json:"sent"`
			Addresses int    `json:"client_addresses"` // in the log
			Clients   struct {
				Top []struct {
					Value string `json:"value"`
				} `json:"top"`
			} `json:"clients"` // of what is queued
		}
		if err := json.Unmarshal(out.Bytes(), &shown); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range shown.Clients.Top {
			got = append(got, c.Value)
		}
		slices.Sort(got)
		sent := 0
		for _, n := range clients {
			sent += n
		}
		account := strings.HasPrefix(source, "account:")
		if addresses := slices.Sorted(maps.Keys(clients)); !slices.Equal(got, addresses) || account && shown.Addresses != len(addresses) || shown.Sent != sent {
			t.Errorf("%s: %d messages from %q, want %d from %q", source, shown.Sent, got, sent, addresses)
		}
		if spam := source == "account:anna@shop.example"; spam != (shown.Verdict == "spam") {
			t.Errorf("%s is called %s", source, shown.Verdict)
		}
	}
}
