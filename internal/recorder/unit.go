package recorder

import "spoor/internal/shim"

// The units of systemd, see systemd.socket(5) and systemd.exec(5).
const (
	socketName  = "spoor-shim.socket"
	serviceName = "spoor-shim.service"
)

// socketUnit is there before the recorder is: while that starts, or starts anew,
// shims wait in its queue, at most as long as they wait for anything.
func socketUnit() string {
	return `[Unit]
Description=Socket of spoor's recorder of mail through sendmail

[Socket]
ListenSequentialPacket=` + shim.Socket + `
SocketMode=0666
DirectoryMode=0755
Backlog=4096

[Install]
WantedBy=sockets.target
`
}

// serviceUnit has no setting that gives the recorder file systems of its own: it
// reads the paths of other processes, which must mean the same to it.
func serviceUnit(spoor string) string {
	return `[Unit]
Description=Recorder of mail through sendmail
Documentation=man:spoor-shim-serve(8)
Requires=` + socketName + `

[Service]
ExecStart=` + spoor + ` shim serve
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_LINUX_IMMUTABLE CAP_KILL
RestrictAddressFamilies=AF_UNIX
MemoryMax=256M
TasksMax=256
LimitNOFILE=8192

[Install]
WantedBy=multi-user.target
`
}
