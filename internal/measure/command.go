package measure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"spoor"
	"spoor/internal/disk"
)

// command runs a program of the panel or of the MTA.
type command struct {
	server *Server
	spec   *spoor.Command
}

// deadline is how long a program may run.
const deadline = time.Minute

// maxOutput is how much of a program's output is kept, in bytes.
const maxOutput = 64 << 10

type commandRecord struct {
	Before string       `json:"before,omitempty"` // what the program said that reads the setting
	Writes []wroteState `json:"writes,omitempty"`
}

// wroteState is a file that the program makes of others.
type wroteState struct {
	Path   string      `json:"path"`
	File   fileState   `json:"file"`
	Folder folderTimes `json:"folder"`
}

func (c *command) do(ctx context.Context, records *disk.Dir) (string, error) {
	if err := c.record(ctx, records); err != nil {
		return "", err
	}
	if len(c.spec.Do) == 0 {
		return "", nil
	}
	output, err := c.make(ctx, c.spec.Do, records)
	if err != nil {
		return "", err
	}
	if err := c.remember(records); err != nil {
		return "", err
	}
	asked := c.spec.Do
	if len(c.spec.Test) > 0 {
		asked = c.spec.Test
		if output, err = c.run(ctx, asked, records); err != nil {
			return "", err
		}
	}
	if !strings.Contains(output, c.spec.Want) {
		return "", fmt.Errorf("%s does not say %q", strings.Join(asked, " "), c.spec.Want)
	}
	return "", nil
}

// record keeps what was there before.
func (c *command) record(ctx context.Context, records *disk.Dir) error {
	record := &commandRecord{}
	if found, err := load(records, beforeName, record); err != nil || found {
		return err
	}
	if len(c.spec.Before) > 0 {
		output, err := c.run(ctx, c.spec.Before, records)
		if err != nil {
			return err
		}
		record.Before = output
	}
	for i, name := range c.spec.Writes {
		wrote, err := c.look(name)
		if err != nil {
			return err
		}
		if err := records.Put("write-"+strconv.Itoa(i), 0o600, wrote.File.content); err != nil {
			return err
		}
		record.Writes = append(record.Writes, wrote)
	}
	return save(records, beforeName, record)
}

func (c *command) look(name string) (wroteState, error) {
	at, err := c.server.place(name)
	if err != nil {
		return wroteState{}, err
	}
	defer at.close()
	state, err := at.look()
	if err != nil {
		return wroteState{}, err
	}
	times, err := at.folderTimes()
	return wroteState{Path: name, File: state, Folder: times}, err
}

const wroteName = "wrote"

// remember keeps what the program has made, so that an undo knows whether it is
// still that.
func (c *command) remember(records *disk.Dir) error {
	if len(c.spec.Writes) == 0 {
		return nil
	}
	var made []string
	for _, name := range c.spec.Writes {
		wrote, err := c.look(name)
		if err != nil {
			return err
		}
		made = append(made, wrote.File.SHA256)
	}
	return save(records, wroteName, made)
}

// make runs a program on its input. What it makes anew in place of a file has mode and
// owner of that: most programs leave both to the umask of whoever called spoor, and a
// server that runs as another user could not read it any more.
func (c *command) make(ctx context.Context, argv []string, records *disk.Dir) (string, error) {
	output, err := c.runOn(ctx, argv, records)
	record := &commandRecord{}
	if err == nil && len(c.spec.Writes) > 0 {
		_, err = load(records, beforeName, record)
	}
	for i := range record.Writes {
		if err == nil {
			err = c.redress(&record.Writes[i])
		}
	}
	return output, err
}

// redress gives a file the mode and owner that it had.
func (c *command) redress(wrote *wroteState) error {
	at, err := c.server.place(wrote.Path)
	if err != nil {
		return err
	}
	defer at.close()
	now, err := at.dir.Stat(at.name)
	was := &wrote.File
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && (was.Absent || !now.Regular):
		return nil
	case err != nil:
		return err
	}
	if now.UID != was.UID || now.GID != was.GID {
		if err := at.dir.Chown(at.name, was.UID, was.GID); err != nil {
			return err
		}
	} else if now.Mode == was.Mode {
		return nil
	}
	return at.dir.Chmod(at.name, was.Mode)
}

// runOn runs a program on the file that is its input.
func (c *command) runOn(ctx context.Context, argv []string, records *disk.Dir) (string, error) {
	if c.spec.Input == "" {
		return c.run(ctx, argv, records)
	}
	read, err := c.look(c.spec.Input)
	if err != nil {
		return "", err
	}
	if read.File.Absent {
		return "", fmt.Errorf("%s is not there, which %s reads: %w", c.spec.Input, argv[0], ErrUnsafe)
	}
	return c.runWith(ctx, read.File.content, argv, records)
}

// run runs a program and keeps its output.
func (c *command) run(ctx context.Context, argv []string, records *disk.Dir) (string, error) {
	return c.runWith(ctx, nil, argv, records)
}

func (c *command) runWith(ctx context.Context, input []byte, argv []string, records *disk.Dir) (string, error) {
	if !path.IsAbs(argv[0]) {
		return "", fmt.Errorf("%q is not the path of a program: %w", argv[0], ErrUnsafe)
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	output, err := c.server.Run.Run(ctx, input, argv[0], argv[1:]...)
	output = output[:min(len(output), maxOutput)]
	words := strings.Join(argv, " ")
	kept := fmt.Sprintf("$ %s\n%s\n", words, output)
	if err != nil {
		kept += err.Error() + "\n"
	}
	if kept := records.Put(outputName, 0o600, []byte(kept)); kept != nil && err == nil {
		return "", kept
	}
	if err != nil {
		said := strings.TrimSpace(string(output))
		return "", fmt.Errorf("%s: %w: %s", words, err, said[:min(len(said), 500)])
	}
	return string(output), nil
}

func (c *command) undo(ctx context.Context, records *disk.Dir) (string, error) {
	record := &commandRecord{}
	if found, err := load(records, beforeName, record); err != nil || !found {
		return "", err
	}
	if len(c.spec.Writes) > 0 {
		back, err := c.putBack(record, records)
		if err == nil && !back && len(c.spec.Do) == 0 {
			back, err = c.asBefore(record)
		}
		if err != nil || back {
			return "", err
		}
	}
	if len(c.spec.Undo) == 0 {
		return "", nil
	}
	_, err := c.make(ctx, c.spec.Undo, records)
	if err != nil && c.spec.Lenient {
		return err.Error(), nil
	}
	return "", err
}

// asBefore reports whether all files are as they were: then there is nothing to make
// anew of what was taken back.
func (c *command) asBefore(record *commandRecord) (bool, error) {
	for i := range record.Writes {
		now, err := c.look(record.Writes[i].Path)
		if err != nil || now.File.Absent != record.Writes[i].File.Absent || now.File.SHA256 != record.Writes[i].File.SHA256 {
			return false, err
		}
	}
	return true, nil
}

// putBack restores the files that the program has written, if all of them are
// still what it wrote.
func (c *command) putBack(record *commandRecord, records *disk.Dir) (bool, error) {
	var made []string
	if found, err := load(records, wroteName, &made); err != nil || !found || len(made) != len(record.Writes) {
		return false, err
	}
	for i := range record.Writes {
		now, err := c.look(record.Writes[i].Path)
		if err != nil {
			return false, err
		}
		if now.File.SHA256 != made[i] && now.File.SHA256 != record.Writes[i].File.SHA256 {
			return false, nil
		}
	}
	for i := range record.Writes {
		if err := c.putBackOne(&record.Writes[i], i, records); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c *command) putBackOne(wrote *wroteState, number int, records *disk.Dir) error {
	at, err := c.server.place(wrote.Path)
	if err != nil {
		return err
	}
	defer at.close()
	now, err := at.look()
	if err != nil {
		return err
	}
	was := wrote.File
	if was.content, err = records.Get("write-"+strconv.Itoa(number), fileLimit); err != nil {
		return err
	}
	if now.Absent != was.Absent || now.SHA256 != was.SHA256 || !now.Modified.Equal(was.Modified) {
		if err := at.restore(&now, &was); err != nil {
			return err
		}
	}
	return at.settle(wrote.Folder)
}
