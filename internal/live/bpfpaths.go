package live

import "github.com/cilium/ebpf/asm"

// folder writes the working directory of the process.
func (w *writer) folder() {
	w.task()
	w.read(counter, subject, w.taskFS)
	w.read(subject, counter, w.fsDentry)
	w.read(beside, counter, w.fsMount)
	w.path()
}

// exes writes the path of the program, and of those of the nearest parents. Of one
// that there is not, the path is broken or of another process, and not read.
func (w *writer) exes() {
	w.exe(atFile)
	for i := range int16(maxExes) {
		w.exe(atParents + i*parentBytes + parentFile)
	}
}

func (w *writer) exe(place int16) {
	w.add(asm.LoadMem(counter, scratch, place, asm.DWord))
	w.filePath()
}

// filePath writes the path of an open file (counter).
func (w *writer) filePath() {
	w.read(subject, counter, w.fileDentry)
	w.read(beside, counter, w.fileMount)
	w.path()
}

// path writes the names from a dentry (subject) and a mount (beside) up to the
// root of the mounts, as fs/d_path.c does. Each ends with a NUL; an empty one
// ends the path. A path that could not be followed to its end has the name "/"
// last, which no file has.
func (w *writer) path() {
	broken, whole, closed := w.label("broken"), w.label("whole"), w.label("closed")
	w.times(maxDepth, func(string) { w.step(broken, whole) })
	w.here(broken)
	w.letters(closed, '/', 0)
	w.here(whole)
	w.letters(closed, 0)
	w.here(closed)
}

// letters writes some bytes.
func (w *writer) letters(full string, letters ...int64) {
	w.room(full, int32(len(letters)))
	for i, letter := range letters {
		w.add(asm.StoreImm(asm.R1, int16(i), letter, asm.Byte))
	}
	w.add(asm.Mov.Imm(asm.R2, int32(len(letters))))
	w.advance(asm.R2)
}

// step writes one name, or crosses from a mount to the one that it is mounted
// on.
func (w *writer) step(broken, whole string) {
	inside, next := w.label("inside"), w.label("next")
	w.read(asm.R1, beside, w.vfsRoot)
	w.add(asm.JNE.Reg(asm.R1, subject, inside))
	vfs := w.mountVFS.offset
	w.read(asm.R1, beside, w.mountParent.shifted(vfs))
	w.add(
		asm.JEq.Imm(asm.R1, 0, broken),
		asm.Add.Imm(asm.R1, int32(vfs)),
		asm.JEq.Reg(asm.R1, beside, whole), // the root of all
		asm.StoreMem(asm.RFP, slot*2, asm.R1, asm.DWord),
	)
	w.read(subject, beside, w.mountPoint.shifted(vfs))
	w.add(asm.LoadMem(beside, asm.RFP, slot*2, asm.DWord), asm.Ja.Label(next))
	w.here(inside)
	w.name(broken)
	w.here(next)
}

// name writes the name of a dentry and goes on to its folder.
func (w *writer) name(broken string) {
	w.read(asm.R1, subject, w.dentryParent)
	w.add(
		asm.JEq.Reg(asm.R1, subject, broken), // a file system that is mounted nowhere
		asm.JEq.Imm(asm.R1, 0, broken),
		asm.StoreMem(asm.RFP, slot*2, asm.R1, asm.DWord),
	)
	w.read(asm.R3, subject, w.dentryName)
	w.room(broken, maxName)
	w.add(
		asm.Mov.Imm(asm.R2, maxName),
		asm.FnProbeReadKernelStr.Call(),
		asm.JSLE.Imm(asm.R0, 1, broken), // not read, or empty
		asm.Mov.Reg(asm.R2, asm.R0),
	)
	w.advance(asm.R2)
	w.add(asm.LoadMem(subject, asm.RFP, slot*2, asm.DWord))
}

// files writes which regular files the process has open: those with the lowest
// descriptors.
func (w *writer) files() {
	w.findFiles()
	done := w.label("files")
	for i := range int32(maxOpen) {
		entry := int16(atOpen + i*openBytes)
		w.add(
			asm.LoadMem(asm.R1, scratch, atFiles, asm.Word),
			asm.JLE.Imm(asm.R1, i, done),
			asm.LoadMem(counter, scratch, entry+openEntry, asm.DWord),
		)
		w.read(asm.R0, counter, w.fileMode)
		w.keep(entry+openMode, asm.R0, asm.Word)
		w.identity(counter, scratch, entry+openFile)
		w.filePath()
	}
	w.here(done)
}

// findFiles notes the first regular files of the table of descriptors.
func (w *writer) findFiles() {
	w.task()
	w.chain(beside, subject, w.taskFiles, w.filesTable)
	w.read(subject, beside, w.tableFD)
	w.read(beside, beside, w.tableMax)
	w.times(maxFD, func(done string) {
		next := w.label("next")
		w.add(
			asm.JGE.Reg(counter, beside, done),
			asm.Mov.Reg(asm.R1, counter),
			asm.LSh.Imm(asm.R1, 3),
			asm.Add.Reg(asm.R1, subject),
		)
		w.read(asm.R1, asm.R1, field{0, 8})
		w.add(
			asm.JEq.Imm(asm.R1, 0, next),
			asm.StoreMem(asm.RFP, slot*2, asm.R1, asm.DWord),
		)
		w.chain(asm.R1, asm.R1, w.fileInode, w.inodeMode)
		w.add(
			asm.And.Imm(asm.R1, 0o170000),
			asm.JNE.Imm(asm.R1, 0o100000, next), // S_IFREG
		)
		w.noteFile(done)
		w.here(next)
	})
}

// noteFile adds a file to the list.
func (w *writer) noteFile(full string) {
	w.add(
		asm.LoadMem(asm.R1, scratch, atFiles, asm.Word),
		asm.JGE.Imm(asm.R1, maxOpen, full),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.Mul.Imm(asm.R2, openBytes),
		asm.Add.Reg(asm.R2, scratch),
		asm.LoadMem(asm.R3, asm.RFP, slot*2, asm.DWord),
		asm.StoreMem(asm.R2, atOpen+openEntry, asm.R3, asm.DWord),
		asm.StoreMem(asm.R2, atOpen+openFD, counter, asm.Word),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(scratch, atFiles, asm.R1, asm.Word),
	)
}
