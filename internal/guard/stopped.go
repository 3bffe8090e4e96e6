package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"spoor/internal/disk"
)

// stoppedName is the record's name in the state directory; what is being written
// has the other name.
const (
	stoppedName = "stopped.json"
	stoppedTemp = "stopped.json.new"
)

// maxStopped bounds the record, in bytes.
const maxStopped = 1 << 20

// ErrUntrusted is returned for a record that another user may have written: it
// names a command that is run as root.
var ErrUntrusted = errors.New("another user could have written it")

// Stopped is a service that spoor has stopped and not yet started again.
type Stopped struct {
	What  string    `json:"what"`  // for people: "qmail-send"
	Start []string  `json:"start"` // the command that starts it, its path first
	Plan  string    `json:"plan"`  // for which it was stopped
	Time  time.Time `json:"time"`  // when, UTC
}

// WriteStopped records, durably, that a service is about to be stopped. One that
// is recorded already is replaced: it is the same service, stopped by a run that
// was killed.
func WriteStopped(dir *disk.Dir, s Stopped) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("record %s: %w", s.What, err)
	}
	if err := dir.Remove(stoppedTemp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeWhole(dir, append(data, '\n')); err != nil {
		return err
	}
	if err := dir.Replace(stoppedTemp, dir, stoppedName); err != nil {
		return err
	}
	return dir.Sync()
}

func writeWhole(dir *disk.Dir, data []byte) error {
	f, err := dir.Create(stoppedTemp, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReadStopped returns what an earlier run has stopped and not started again; false
// if there is none. It returns ErrUntrusted, and no command, for a record that
// does not belong to this process' user alone. The caller holds the lock of the
// state directory: else a run that is under way may have written it.
func ReadStopped(dir *disk.Dir) (Stopped, bool, error) {
	f, err := dir.Open(stoppedName)
	if errors.Is(err, fs.ErrNotExist) {
		return Stopped{}, false, nil
	}
	if err != nil {
		return Stopped{}, false, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return Stopped{}, false, err
	}
	if st.UID != os.Geteuid() || st.Mode&0o022 != 0 {
		return Stopped{}, false, fmt.Errorf("%s: %w", f.Name(), ErrUntrusted)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxStopped))
	if err != nil {
		return Stopped{}, false, err
	}
	var s Stopped
	if err := json.Unmarshal(data, &s); err != nil {
		return Stopped{}, false, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return s, true, nil
}

// RemoveStopped removes the record: the service runs again. That there is none is no
// error.
func RemoveStopped(dir *disk.Dir) error {
	if err := dir.Remove(stoppedName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return dir.Sync()
}
