package live

import (
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Registers of the programs. R6 to R9 survive the calls of helpers
// (Documentation/bpf/classic_vs_extended.rst).
const (
	scratch = asm.R6 // the record in the making
	subject = asm.R7 // what is being read: a task, a dentry, a file
	counter = asm.R8 // of the loop
	beside  = asm.R9 // a second thing that is being read
)

// slot is where a field that was read stands on the stack.
const slot = -8

// assembler writes an eBPF program: what C would say in a line is a method here.
// Pointers of the kernel are plain numbers to the verifier; they are followed by
// bpf_probe_read_kernel alone, which gives zero for one that leads nowhere.
type assembler struct {
	code   asm.Instructions
	labels int
	next   string // label of the next instruction
}

// label makes a name that no other place has.
func (a *assembler) label(word string) string {
	a.labels++
	return word + strconv.Itoa(a.labels)
}

// here gives the next instruction a name.
func (a *assembler) here(label string) {
	if a.next != "" { // two names of one place
		a.add(asm.Ja.Label(label))
	}
	a.next = label
}

func (a *assembler) add(code ...asm.Instruction) {
	for _, one := range code {
		if a.next != "" {
			one = one.WithSymbol(a.next)
			a.next = ""
		}
		a.code = append(a.code, one)
	}
}

// read reads a field of at most eight bytes from where base and an offset point
// to. It spends R0 to R3.
func (a *assembler) read(to, base asm.Register, f field) {
	a.add(
		asm.Mov.Reg(asm.R3, base),
		asm.Add.Imm(asm.R3, int32(f.offset)),
		asm.Mov.Imm(asm.R2, 0),
		asm.StoreMem(asm.RFP, slot, asm.R2, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, slot),
		asm.Mov.Imm(asm.R2, int32(f.size)),
		asm.FnProbeReadKernel.Call(),
		asm.LoadMem(to, asm.RFP, slot, asm.DWord),
	)
}

// chain reads a field behind pointers, one after another.
func (a *assembler) chain(to, base asm.Register, fields ...field) {
	for _, f := range fields {
		a.read(to, base, f)
		base = to
	}
}

// keep stores a register in the record.
func (a *assembler) keep(place int16, from asm.Register, size asm.Size) {
	a.add(asm.StoreMem(scratch, place, from, size))
}

// copyField copies bytes of a field of the subject into the record.
func (a *assembler) copyField(place int32, f field, size int32) {
	a.add(
		asm.Mov.Reg(asm.R3, subject),
		asm.Add.Imm(asm.R3, int32(f.offset)),
		asm.Mov.Reg(asm.R1, scratch),
		asm.Add.Imm(asm.R1, place),
		asm.Mov.Imm(asm.R2, size),
		asm.FnProbeReadKernel.Call(),
	)
}

// times repeats a body. The body leaves counter alone, and jumps to done to end
// the loop. The bound is what makes the verifier see the end.
func (a *assembler) times(n int32, body func(done string)) {
	again, done := a.label("again"), a.label("done")
	a.add(asm.Mov.Imm(counter, 0))
	a.here(again)
	body(done)
	a.add(asm.Add.Imm(counter, 1), asm.JLT.Imm(counter, n, again))
	a.here(done)
}

// count adds one to a counter of the map of counters.
func (a *assembler) count(counters *ebpf.Map, which int32) {
	none := a.label("uncounted")
	a.add(
		asm.StoreImm(asm.RFP, slot, int64(which), asm.Word),
		asm.LoadMapPtr(asm.R1, counters.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, slot),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, none),
		asm.Mov.Imm(asm.R1, 1),
		asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
	)
	a.here(none)
}
