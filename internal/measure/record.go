package measure

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"spoor/internal/disk"
)

// Names in the folder of a step.
const (
	beforeName  = "before"  // what was there, as JSON; written last, before the step acts
	contentName = "content" // of the file that was there, byte by byte
	outputName  = "output"  // of the programs that were run
	settledName = "settled" // there once the step has left the folder in order
	undoingName = "undoing" // what has to be known when an undo is cut off
)

// recordLimit bounds what is read back, in bytes.
const recordLimit = 256 << 20

// load reads a record. found is false where there is none.
func load(records *disk.Dir, name string, record any) (found bool, err error) {
	data, err := records.Get(name, recordLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, record); err != nil {
		return false, fmt.Errorf("%s/%s: %w", records.Name(), name, err)
	}
	return true, nil
}

// save makes a record durable.
func save(records *disk.Dir, name string, record any) error {
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return records.Put(name, 0o600, data)
}
