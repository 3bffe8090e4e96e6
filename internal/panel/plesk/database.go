package plesk

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"spoor/internal/host"
)

const (
	passwordFile  = "/etc/psa/.psa.shadow"
	passwordLimit = 64 << 10 // bytes

	connectTimeout = 2 * time.Second
	queryTimeout   = 10 * time.Second

	tcpAddress = "127.0.0.1:3306"
)

// Errors that say why psa is not asked.
var (
	errNoServer = errors.New("no MySQL socket found")
	errImpostor = errors.New("the process behind the socket is not a MySQL server's")
)

// readDatabase loads the records from psa. Only the end of ctx is an error. A
// captured server without a socket has no database that could be asked: that is
// no gap, and the proof of each owner tells it.
func (p *Panel) readDatabase(ctx context.Context) error {
	server, err := p.findServer()
	place := server.place
	if err == nil {
		place, err = p.loadRecords(ctx, server)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("read psa database: %w", ctx.Err())
	}
	if errors.Is(err, errNoServer) {
		return nil
	}
	if err != nil {
		p.records = &records{}
		p.gaps.Add(place, fmt.Sprintf("psa database could not be reached (%v): UIDs are resolved from home folders", err))
	}
	return nil
}

// loadRecords returns where psa was asked, or what stood in the way.
func (p *Panel) loadRecords(ctx context.Context, server server) (string, error) {
	return p.ask(ctx, server, func(t tables) error {
		loaded, err := load(ctx, t, server.place)
		if err == nil {
			p.records = loaded
		}
		return err
	})
}

// ask connects to psa and hands its tables to read. It returns where psa was
// asked, or what stood in the way.
func (p *Panel) ask(ctx context.Context, server server, read func(tables) error) (string, error) {
	p.heard.at(server.place)
	if server.kept != nil {
		if err := read(tables{kept: server.kept, heard: &p.heard}); err != nil {
			return AnswersFile, err
		}
		return server.place, nil
	}
	shadow, err := p.root.ReadFile(passwordFile, passwordLimit)
	if err != nil {
		return passwordFile, reasonOf(err)
	}
	// On newer versions the line starts with $AES-128-CBC$: it is the password
	// as it stands.
	password, _, _ := bytes.Cut(shadow, []byte("\n"))
	db, err := server.open(string(bytes.TrimSuffix(password, []byte("\r"))))
	if err != nil {
		return server.place, err
	}
	defer func() { _ = db.Close() }()
	pinging, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := db.PingContext(pinging); err != nil {
		return server.place, reasonOf(err)
	}
	if err := read(tables{db: db, heard: &p.heard}); err != nil {
		return server.place, reasonOf(err)
	}
	return server.place, nil
}

// reasonOf strips paths and descriptors from an error: it goes into a gap that
// names the file already.
func reasonOf(err error) error {
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	if opErr := (*net.OpError)(nil); errors.As(err, &opErr) {
		if errno := syscall.Errno(0); errors.As(opErr, &errno) {
			return errno
		}
	}
	return err
}

// server is the place of a MySQL or MariaDB server.
type server struct {
	place string // the socket, absolute below the root; or host:port
	dial  func(ctx context.Context) (net.Conn, error)
	local bool     // a Unix-domain socket, whose peer was checked
	kept  *Answers // what psa has answered before, in place of all that; else nil
}

// sockets are the places of MySQL's socket: Red Hat's, Debian's, and MySQL's
// own default.
func sockets() []string {
	return []string{
		"/var/lib/mysql/mysql.sock", "/var/run/mysqld/mysqld.sock",
		"/run/mysqld/mysqld.sock", "/tmp/mysql.sock",
	}
}

// findServer looks for the server below the root. TCP leaves the root, so it is
// used only where the root is the running machine. In a tree of files psa may have
// been asked before, and its answers be there.
func (p *Panel) findServer() (server, error) {
	for _, name := range sockets() {
		if !p.root.Exists(name) {
			continue
		}
		return server{place: name, local: true, dial: func(ctx context.Context) (net.Conn, error) {
			return dialTrusted(ctx, p.root, name, p.passwd)
		}}, nil
	}
	if !p.root.Live() {
		kept, err := p.keptAnswers()
		if errors.Is(err, fs.ErrNotExist) {
			return server{}, errNoServer
		}
		if err != nil {
			return server{place: AnswersFile}, err
		}
		return server{place: kept.Place, kept: kept}, nil
	}
	return server{place: tcpAddress, dial: func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", tcpAddress)
	}}, nil
}

// dialTrusted connects to a socket and refuses a peer that runs as neither root
// nor mysql. Anyone can put a socket into /tmp, and what we say there helps to
// guess the password.
func dialTrusted(ctx context.Context, root *host.Root, name string, passwd *host.Passwd) (net.Conn, error) {
	conn, err := root.DialUnix(ctx, name)
	if err != nil {
		return nil, err
	}
	uid, err := peerUID(conn)
	if err == nil && !isMySQL(uid, passwd) {
		err = errImpostor
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func isMySQL(uid int, passwd *host.Passwd) bool {
	for _, login := range []string{"mysql", "mariadb"} {
		if account, ok := passwd.ByLogin(login); ok && account.UID == uid {
			return true
		}
	}
	return uid == 0
}

// peerUID asks the kernel who listens (SO_PEERCRED, unix(7)).
func peerUID(conn net.Conn) (int, error) {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return -1, errImpostor
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid := -1
	var credErr error
	err = control.Control(func(fd uintptr) {
		var cred *syscall.Ucred
		if cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); credErr == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(err, credErr)
}

// open prepares a connection to psa as admin. Nothing is dialled yet.
func (s server) open(password string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = "admin", password, "psa"
	config.Net, config.Addr = "psa", s.place
	config.Collation = "utf8_general_ci" // the servers of Plesk 8 know no utf8mb4
	config.Timeout, config.ReadTimeout, config.WriteTimeout = connectTimeout, queryTimeout, queryTimeout
	config.AllowOldPasswords = s.local // old_passwords=1 was common; the answer is weak, so never beyond a socket
	config.Logger = &mysql.NopLogger{}
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) }
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}
