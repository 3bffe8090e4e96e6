package spoor

import (
	"fmt"
	"time"
)

// OriginProof says how far the X-Spoor-Origin field of a message can be trusted.
type OriginProof uint8

// The proofs, by what was found of the field's ID.
const (
	OriginUnchecked OriginProof = iota // there is no key to check it with
	OriginForged                       // this server's recorder has not signed it
	OriginUnsigned                     // the shim made it alone, or somebody who imitates it
	OriginSigned                       // the recorder issued it to a process of that UID
)

var originNames = [...]string{"unchecked", "forged", "unsigned", "signed"}

// String returns a word for p.
func (p OriginProof) String() string {
	if int(p) < len(originNames) {
		return originNames[p]
	}
	return fmt.Sprintf("proof(%d)", uint8(p))
}

// Origin is what the sendmail shim's record tells of a message. UID and Issued are
// in the signed ID itself; all else is in the line that the recorder wrote, if
// Recorded.
type Origin struct {
	Proof  OriginProof
	ID     string
	UID    int       // that the ID was issued to; -1 where it does not say
	Issued time.Time // to the second

	Recorded  bool
	Place     Evidence // the line of the record
	Dir       string   // working directory of the process, as the recorder saw it
	Script    string   // that the process or one that started it had open; "" if none or several
	ScriptUID int      // owner of the script's file, -1 where not recorded
	Program   string   // that asked for the ID
	ByShim    bool     // Program is the shim: the claims were read by it
	Claimed   string   // script, as the environment of the process claims: SCRIPT_FILENAME
}
