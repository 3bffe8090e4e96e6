package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"spoor"
)

// tracer sees execs and connections by two eBPF programs. They are written here,
// in the machine's own language, for the fields of the running kernel: nothing
// is compiled and nothing is installed. It takes Linux 5.8 with BTF, and root.
//
// Programs, maps and links are held by descriptors of this process alone: nothing
// is pinned, so the kernel removes all of them when spoor ends or is killed.
type tracer struct {
	maps     bpfMaps
	programs []*ebpf.Program
	links    []link.Link
	reader   *ringbuf.Reader
	watched  []identity
	observed *Watch
	booted   time.Time
	exes     exeNames
}

const (
	ringBytes  = 16 << 20
	maxWatched = 256
	// license is what the kernel is told, since it lends some helpers to programs
	// that are free by the GPL only.
	license = "Dual MIT/GPL"
)

func newTracer(w *Watch) (*tracer, error) {
	t := &tracer{observed: w, booted: bootTime(w.config.Now()), exes: exeNames{}}
	if err := t.open(); err != nil {
		_ = t.close()
		return nil, fmt.Errorf("eBPF: %w", err)
	}
	return t, nil
}

func (t *tracer) open() error {
	_ = rlimit.RemoveMemlock() // where memory of maps counts as locked memory, before Linux 5.11
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return fmt.Errorf("the kernel does not describe its types (BTF): %w", err)
	}
	offsets, err := kernelOffsets(spec)
	if err != nil {
		return err
	}
	if err := t.makeMaps(); err != nil {
		return err
	}
	if err := t.attach("sched_process_exec", execProgram(offsets, &t.maps)); err != nil {
		return err
	}
	if err := t.attach("inet_sock_set_state", connectProgram(offsets, &t.maps)); err != nil {
		return err
	}
	t.reader, err = ringbuf.NewReader(t.maps.Events)
	return err
}

func (t *tracer) makeMaps() error {
	for _, one := range []struct {
		to   **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&t.maps.Watched, ebpf.MapSpec{Name: "spoor_watched", Type: ebpf.Hash, KeySize: 16, ValueSize: 4, MaxEntries: maxWatched}},
		{&t.maps.Scratch, ebpf.MapSpec{Name: "spoor_scratch", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: recordSize, MaxEntries: 1}},
		{&t.maps.Counters, ebpf.MapSpec{Name: "spoor_counters", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: numCounters}},
		{&t.maps.Events, ebpf.MapSpec{Name: "spoor_events", Type: ebpf.RingBuf, MaxEntries: ringBytes}},
	} {
		made, err := ebpf.NewMap(&one.spec)
		if err != nil {
			return fmt.Errorf("map %s: %w", one.spec.Name, err)
		}
		*one.to = made
	}
	return nil
}

// attach loads a program and hangs it on a tracepoint.
func (t *tracer) attach(tracepoint string, code asm.Instructions) error {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "spoor", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: tracepoint,
		Instructions: code, License: license,
	})
	if err != nil {
		return fmt.Errorf("program for %s: %w", tracepoint, err)
	}
	t.programs = append(t.programs, program)
	attached, err := link.AttachTracing(link.TracingOptions{Program: program, AttachType: ebpf.AttachTraceRawTp})
	if err != nil {
		return fmt.Errorf("attach to %s: %w", tracepoint, err)
	}
	t.links = append(t.links, attached)
	return nil
}

// watch implements sensor.
func (t *tracer) watch(files []program) error {
	var now []identity
	for _, file := range files[:min(len(files), maxWatched)] {
		if err := t.maps.Watched.Put(watchedKey(file.id), uint32(1)); err != nil {
			return fmt.Errorf("watch %s: %w", file.path, err)
		}
		now = append(now, file.id)
	}
	for _, gone := range t.watched {
		if !slices.Contains(now, gone) {
			_ = t.maps.Watched.Delete(watchedKey(gone))
		}
	}
	t.watched = now
	return nil
}

// watchedKey is an identity as the programs have it.
func watchedKey(id identity) [2]uint64 { return [2]uint64{id.inode, uint64(id.device)} }

// drainTime is how long records are still read that came before the end.
const drainTime = time.Second

// run implements sensor. What is in the ring buffer when ctx ends is told too.
func (t *tracer) run(ctx context.Context, out chan<- *spoor.Sighting) error {
	stop := context.AfterFunc(ctx, func() { _ = t.reader.Flush() })
	defer stop()
	var record ringbuf.Record
	var ended time.Time
	for {
		err := t.reader.ReadInto(&record)
		if ctx.Err() != nil && ended.IsZero() {
			ended = time.Now()
		}
		switch {
		case errors.Is(err, ringbuf.ErrFlushed), !ended.IsZero() && time.Since(ended) > drainTime:
			return nil
		case err != nil:
			return fmt.Errorf("read the ring buffer: %w", err)
		}
		if s, ok := t.sighting(record.RawSample); ok {
			out <- s
		}
		clear(record.RawSample) // it held an environment
	}
}

// lost implements sensor.
func (t *tracer) lost() []spoor.Gap {
	var gaps []spoor.Gap
	if n := t.count(countDropped); n > 0 {
		gaps = append(gaps, spoor.Gap{File: "(ebpf)", Reason: "seen and not told: they came faster than they could be read", Count: n})
	}
	missed := 0
	for _, program := range t.programs {
		if stats, err := program.Stats(); err == nil {
			missed += int(stats.RecursionMisses)
		}
	}
	if missed > 0 {
		gaps = append(gaps, spoor.Gap{File: "(ebpf)", Reason: "not looked at: the processor was busy with the one before", Count: missed})
	}
	return gaps
}

// count sums up a counter over the processors.
func (t *tracer) count(which uint32) int {
	var each []uint64
	if err := t.maps.Counters.Lookup(which, &each); err != nil {
		return 0
	}
	total := uint64(0)
	for _, n := range each {
		total += n
	}
	return int(total)
}

// close implements sensor.
func (t *tracer) close() error {
	var all []error
	for _, one := range t.links {
		all = append(all, one.Close())
	}
	if t.reader != nil {
		all = append(all, t.reader.Close())
	}
	for _, one := range t.programs {
		all = append(all, one.Close())
	}
	for _, one := range []*ebpf.Map{t.maps.Watched, t.maps.Scratch, t.maps.Counters, t.maps.Events} {
		all = append(all, one.Close()) // closing nil is no error
	}
	return errors.Join(all...)
}
