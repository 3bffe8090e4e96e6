package live

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// bpfMaps are what the programs share with spoor.
type bpfMaps struct {
	Watched  *ebpf.Map // identity of a submission program to uint32
	Scratch  *ebpf.Map // one record for each processor
	Counters *ebpf.Map // of count*
	Events   *ebpf.Map // the ring buffer
}

// What Counters counts.
const (
	countDropped = iota // records that found the ring buffer full
	numCounters
)

// offsets are the fields that the programs read.
type offsets struct {
	bprmFile                                          field
	fileInode, fileMode, fileDentry, fileMount        field
	inodeNumber, inodeMode, inodeSuper, superDevice   field
	taskLeader, taskParent, taskTGID, taskStart       field
	taskComm, taskMM, taskFS, taskFiles, taskCred     field
	credUID                                           field
	mmArgStart, mmArgEnd, mmEnvStart, mmEnvEnd, mmExe field
	fsDentry, fsMount                                 field
	filesTable, tableFD, tableMax                     field
	dentryParent, dentryName                          field
	vfsRoot, mountVFS, mountParent, mountPoint        field
	sockFamily, sockPort, sockAddr4, sockAddr6        field
}

func kernelOffsets(spec *btf.Spec) (*offsets, error) {
	f := fields{spec: spec}
	o := &offsets{
		bprmFile:  f.of("linux_binprm", "file"),
		fileInode: f.of("file", "f_inode"), fileMode: f.of("file", "f_mode"),
		fileDentry: f.of("file", "f_path.dentry"), fileMount: f.of("file", "f_path.mnt"),
		inodeNumber: f.of("inode", "i_ino"), inodeMode: f.of("inode", "i_mode"), inodeSuper: f.of("inode", "i_sb"),
		superDevice: f.of("super_block", "s_dev"),
		taskLeader:  f.of("task_struct", "group_leader"), taskParent: f.of("task_struct", "real_parent"),
		taskTGID: f.of("task_struct", "tgid"), taskStart: f.of("task_struct", "start_boottime"),
		taskComm: f.of("task_struct", "comm"), taskMM: f.of("task_struct", "mm"), taskFS: f.of("task_struct", "fs"),
		taskFiles: f.of("task_struct", "files"), taskCred: f.of("task_struct", "real_cred"),
		credUID:    f.of("cred", "uid"),
		mmArgStart: f.of("mm_struct", "arg_start"), mmArgEnd: f.of("mm_struct", "arg_end"),
		mmEnvStart: f.of("mm_struct", "env_start"), mmEnvEnd: f.of("mm_struct", "env_end"), mmExe: f.of("mm_struct", "exe_file"),
		fsDentry: f.of("fs_struct", "pwd.dentry"), fsMount: f.of("fs_struct", "pwd.mnt"),
		filesTable: f.of("files_struct", "fdt"), tableFD: f.of("fdtable", "fd"), tableMax: f.of("fdtable", "max_fds"),
		dentryParent: f.of("dentry", "d_parent"), dentryName: f.of("dentry", "d_name.name"),
		vfsRoot: f.of("vfsmount", "mnt_root"), mountVFS: f.of("mount", "mnt"),
		mountParent: f.of("mount", "mnt_parent"), mountPoint: f.of("mount", "mnt_mountpoint"),
		sockFamily: f.of("sock", "__sk_common.skc_family"), sockPort: f.of("sock", "__sk_common.skc_dport"),
		sockAddr4: f.of("sock", "__sk_common.skc_daddr"), sockAddr6: f.of("sock", "__sk_common.skc_v6_daddr"),
	}
	return o, f.err
}

// writer writes one of the two programs.
type writer struct {
	assembler
	*offsets
	maps *bpfMaps
}

// end is the label of the last instructions.
const end = "end"

// execProgram reports every exec of a watched program. It is attached to
// sched_process_exec, when the process is what it will be: include/trace/events/sched.h,
// TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm).
func execProgram(o *offsets, maps *bpfMaps) asm.Instructions {
	w := &writer{offsets: o, maps: maps}
	w.add(asm.LoadMem(subject, asm.R1, 16, asm.DWord))
	w.read(subject, subject, w.bprmFile)
	w.identity(subject, asm.RFP, -32)
	w.add(
		asm.LoadMapPtr(asm.R1, maps.Watched.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -32),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, end),
	)
	w.begin(recordExec)
	w.record()
	w.finish()
	return w.code
}

// connectProgram reports every connection that is being opened to a port of
// mail: include/trace/events/sock.h, inet_sock_set_state,
// TP_PROTO(const struct sock *sk, const int oldstate, const int newstate).
func connectProgram(o *offsets, maps *bpfMaps) asm.Instructions {
	const synSent = 2 // include/net/tcp_states.h
	w := &writer{offsets: o, maps: maps}
	w.add(
		asm.LoadMem(asm.R2, asm.R1, 16, asm.DWord),
		asm.JNE.Imm(asm.R2, synSent, end),
		asm.LoadMem(subject, asm.R1, 0, asm.DWord),
	)
	w.read(beside, subject, w.sockPort)
	w.add(asm.HostTo(asm.BE, beside, asm.Half))
	mail := w.label("mail")
	for _, port := range mailPorts() {
		w.add(asm.JEq.Imm(beside, int32(port), mail))
	}
	w.add(asm.Ja.Label(end))
	w.here(mail)
	w.begin(recordConnect)
	w.keep(atPort, beside, asm.Word)
	w.read(asm.R1, subject, w.sockFamily)
	w.keep(atFamily, asm.R1, asm.Word)
	w.address()
	w.record()
	w.finish()
	return w.code
}

// mailPorts are those of SMTP, RFC 5321 and RFC 8314.
func mailPorts() []uint16 { return []uint16{25, 465, 587} }

// address keeps the one that is connected to.
func (w *writer) address() {
	const v6 = 10 // AF_INET6, include/linux/socket.h
	old, done := w.label("v4"), w.label("address")
	w.add(asm.JNE.Imm(asm.R1, v6, old))
	w.copyField(atAddr, w.sockAddr6, 16)
	w.add(asm.Ja.Label(done))
	w.here(old)
	w.copyField(atAddr, w.sockAddr4, 4)
	w.here(done)
}

// identity stores which file it is that a register points to.
func (w *writer) identity(file, to asm.Register, place int16) {
	w.chain(asm.R0, file, w.fileInode, w.inodeNumber)
	w.add(asm.StoreMem(to, place+identityInode, asm.R0, asm.DWord))
	w.chain(asm.R0, file, w.fileInode, w.inodeSuper, w.superDevice)
	w.add(asm.StoreMem(to, place+identityDevice, asm.R0, asm.DWord))
}

// begin finds the scratch record of the processor. What it held is overwritten
// by what follows, or its length is.
func (w *writer) begin(kind int64) {
	w.add(
		asm.StoreImm(asm.RFP, slot, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, w.maps.Scratch.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, slot),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, end),
		asm.Mov.Reg(scratch, asm.R0),
		asm.StoreImm(scratch, atKind, kind, asm.Word),
		asm.StoreImm(scratch, atOffset, atText, asm.Word),
		asm.StoreImm(scratch, atMissed, 0, asm.Word),
		asm.StoreImm(scratch, atFiles, 0, asm.Word),
	)
}

// record writes what both programs report: the process that runs now.
func (w *writer) record() {
	w.add(asm.FnKtimeGetBootNs.Call())
	w.keep(atTime, asm.R0, asm.DWord)
	w.add(asm.FnGetCurrentPidTgid.Call(), asm.RSh.Imm(asm.R0, 32))
	w.keep(atPID, asm.R0, asm.Word)
	w.add(asm.FnGetCurrentUidGid.Call())
	w.keep(atUID, asm.R0, asm.Word)
	w.add(asm.RSh.Imm(asm.R0, 32))
	w.keep(atGID, asm.R0, asm.Word)
	w.task()
	w.chain(asm.R0, subject, w.taskLeader, w.taskStart)
	w.keep(atStart, asm.R0, asm.DWord)
	w.copyField(atComm, w.taskComm, 16)
	w.chain(beside, subject, w.taskMM, w.mmExe)
	w.keep(atFile, beside, asm.DWord)
	w.identity(beside, scratch, atExe)
	w.parents()
	w.task()
	w.read(subject, subject, w.taskMM)
	w.user(userText{w.mmArgStart, w.mmArgEnd, maxArgs, atArgs, missedArgs})
	w.user(userText{w.mmEnvStart, w.mmEnvEnd, maxEnv, atEnv, missedEnv})
	w.folder()
	w.exes()
	w.files()
}

func (w *writer) task() {
	w.add(asm.FnGetCurrentTask.Call(), asm.Mov.Reg(subject, asm.R0))
}

// parents writes the processes that this one descends from.
func (w *writer) parents() {
	done := w.label("parents")
	for i := range maxParents {
		place := int16(atParents + i*parentBytes)
		w.chain(subject, subject, w.taskParent, w.taskLeader)
		w.read(asm.R0, subject, w.taskTGID)
		w.keep(place+parentPID, asm.R0, asm.Word)
		w.add(asm.JEq.Imm(asm.R0, 0, done)) // init's parent
		w.chain(asm.R0, subject, w.taskCred, w.credUID)
		w.keep(place+parentUID, asm.R0, asm.Word)
		w.read(asm.R0, subject, w.taskStart)
		w.keep(place+parentStart, asm.R0, asm.DWord)
		w.copyField(int32(place)+parentComm, w.taskComm, 16)
		w.chain(beside, subject, w.taskMM, w.mmExe)
		w.keep(place+parentFile, beside, asm.DWord)
		w.identity(beside, scratch, place+parentExe)
	}
	w.here(done)
}

// userText is a stretch of the memory of the process.
type userText struct {
	from, to field // of mm_struct
	most     int32 // bytes
	length   int16 // where in the record its length goes
	missed   int32
}

// user copies text from the process, never from beyond its end: behind the
// arguments lies the environment.
func (w *writer) user(t userText) {
	fits, failed, done := w.label("fits"), w.label("failed"), w.label("text")
	w.read(beside, subject, t.from)
	w.read(counter, subject, t.to)
	w.add(asm.Sub.Reg(counter, beside))
	if t.length == atArgs {
		w.keep(atArgsAll, counter, asm.Word)
	}
	w.add(
		asm.JLE.Imm(counter, t.most, fits),
		asm.Mov.Imm(counter, t.most),
	)
	w.miss(t.missed)
	w.here(fits)
	w.room(failed, t.most)
	w.add(
		asm.Mov.Reg(asm.R2, counter),
		asm.Mov.Reg(asm.R3, beside),
		asm.FnProbeReadUser.Call(),
		asm.JNE.Imm(asm.R0, 0, failed),
	)
	w.keep(t.length, counter, asm.Word)
	w.advance(counter)
	w.add(asm.Ja.Label(done))
	w.here(failed)
	w.add(asm.StoreImm(scratch, t.length, 0, asm.Word))
	w.miss(t.missed)
	w.here(done)
}

// miss notes that something could not be read in full.
func (w *writer) miss(what int32) {
	w.add(
		asm.LoadMem(asm.R1, scratch, atMissed, asm.Word),
		asm.Or.Imm(asm.R1, what),
		asm.StoreMem(scratch, atMissed, asm.R1, asm.Word),
	)
}

// room makes R1 the place of the next text, if there is room for so many bytes.
func (w *writer) room(full string, size int32) {
	w.add(
		asm.LoadMem(asm.R1, scratch, atOffset, asm.Word),
		asm.JGT.Imm(asm.R1, recordSize-size-1, full),
		asm.Add.Reg(asm.R1, scratch),
	)
}

// advance moves the place of the next text.
func (w *writer) advance(by asm.Register) {
	w.add(
		asm.LoadMem(asm.R1, scratch, atOffset, asm.Word),
		asm.Add.Reg(asm.R1, by),
		asm.StoreMem(scratch, atOffset, asm.R1, asm.Word),
	)
}

// finish sends the record.
func (w *writer) finish() {
	lost := w.label("lost")
	w.add(
		asm.LoadMem(asm.R3, scratch, atOffset, asm.Word),
		asm.JGT.Imm(asm.R3, recordSize, lost),
		asm.LoadMapPtr(asm.R1, w.maps.Events.FD()),
		asm.Mov.Reg(asm.R2, scratch),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRingbufOutput.Call(),
		asm.JEq.Imm(asm.R0, 0, end),
	)
	w.here(lost)
	w.count(w.maps.Counters, countDropped)
	w.here(end)
	w.add(asm.Mov.Imm(asm.R0, 0), asm.Return())
}
