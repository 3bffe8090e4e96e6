package live

// The record that the eBPF programs write, in the byte order of the machine. A
// head of fixed places is followed by the arguments, the environment, and the
// names of paths, each path from its last name up to the root and ended by an
// empty name: the working directory, the program, those of the nearest parents,
// the open files.
const (
	atKind    = 0  // uint32: recordExec or recordConnect
	atOffset  = 4  // uint32: length of the record; while it is made, where the next text goes
	atTime    = 8  // uint64: nanoseconds since boot
	atPID     = 16 // uint32
	atUID     = 20 // uint32, the real one
	atGID     = 24 // uint32
	atFiles   = 28 // uint32: number of open files that follow
	atStart   = 32 // uint64: nanoseconds since boot
	atExe     = 40 // identity of the program
	atComm    = 56 // char[16]
	atArgs    = 72 // uint32: bytes of arguments that were read
	atEnv     = 76 // uint32: bytes of environment that were read
	atMissed  = 80 // uint32: of missed*
	atFamily  = 84 // uint32: AF_INET or AF_INET6, of a connection
	atAddr    = 88 // 16 bytes
	atPort    = 104
	atArgsAll = 108 // uint32: bytes of arguments there were
	atFile    = 112 // uint64: address of the struct file of the program, while the record is made
	atParents = 120 // maxParents entries
	atOpen    = atParents + maxParents*parentBytes
	atText    = atOpen + maxOpen*openBytes

	parentPID   = 0  // uint32; 0: there is none
	parentUID   = 4  // uint32
	parentStart = 8  // uint64
	parentComm  = 16 // char[16]
	parentExe   = 32 // identity
	parentFile  = 48 // uint64: address of the struct file of its program, while the record is made
	parentBytes = 56

	openFD    = 0  // uint32
	openMode  = 4  // uint32: f_mode
	openFile  = 8  // identity
	openEntry = 24 // uint64: address of the struct file, while the record is made
	openBytes = 32

	identityInode  = 0 // uint64
	identityDevice = 8 // uint32, the kernel's own form: major<<20 | minor
)

const (
	recordExec    = 1
	recordConnect = 2
)

// What a program could not read in full.
const (
	missedArgs = 1 << 0
	missedEnv  = 1 << 1
)

// Bounds of a record.
const (
	maxParents = 8
	maxExes    = 3 // parents whose program is named
	maxOpen    = 8
	maxFD      = 256
	maxDepth   = 32   // names of a path, and mounts that it crosses
	maxName    = 256  // bytes, NAME_MAX and its NUL
	maxArgs    = 4095 // bytes
	maxEnv     = 12287
	recordSize = 24 << 10
)
