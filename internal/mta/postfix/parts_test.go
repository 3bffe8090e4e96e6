package postfix

import (
	"fmt"
	"strings"
	"testing"

	"spoor/internal/mta"
)

// A milter has replaced a line: a pointer lies on it, and on its rest, which is a
// record no more.
func TestPartsOfAFileThatAMilterHasEdited(t *testing.T) {
	const line = "X-Origin: an older line that was longer"
	before := record(recTime, "1 0") + record(recFrom, "a@b.test") + record(recMessage, "")
	old := record(recLine, line)
	behind := record(recLine, "Subject: hi") + record(recLine, "") + record(recLine, "text") + record(recExtracted, "") + record(recRecipient, "c@d.test") + record(recEnd, "")
	back := len(before) + len(old)
	target := back + len(behind)
	pointer := record(recPointer, fmt.Sprintf("%15d", target))
	file := before + pointer + old[len(pointer):] + behind + record(recLine, "X-New: 1") + record(recPointer, fmt.Sprintf("%15d", back))
	var got []string
	for part := range fileParts("var/spool/postfix/deferred/4/4FA8DC0101", []byte(file)) {
		kind := map[mta.PartKind]string{mta.PartRecord: "record", mta.PartHeader: "header", mta.PartBody: "body"}[part.Kind]
		got = append(got, kind+" "+file[part.Start:part.End])
	}
	want := []string{
		"record 1 0", "record a@b.test", "record ", "body " + old[len(pointer):], "header Subject: hi", "header ", "body text", "body ",
		"record c@d.test", "record ", "header X-New: 1",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
