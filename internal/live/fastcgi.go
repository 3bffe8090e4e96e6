package live

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The records of FastCGI, version 1 (FastCGI Specification 1.0, §3.3 and §8).
const (
	fcgiVersion      = 1
	fcgiBeginRequest = 1
	fcgiEndRequest   = 3
	fcgiParams       = 4
	fcgiStdin        = 5
	fcgiStdout       = 6
	fcgiStderr       = 7
	fcgiResponder    = 1
	fcgiHeader       = 8 // bytes
	fcgiRequestID    = 1
)

// errFastCGI is returned for an answer that is not FastCGI.
var errFastCGI = errors.New("the answer is not FastCGI")

// errTooLong is returned for an answer over its bound.
var errTooLong = errors.New("the answer is too long")

// param is one variable of a request, in the order in which they are sent.
type param struct{ name, value string }

// appendFastCGI appends a request without a body, as a web server sends it: one
// that is the only one of its connection.
func appendFastCGI(dst []byte, params []param) []byte {
	dst = appendRecord(dst, fcgiBeginRequest, []byte{0, fcgiResponder, 0, 0, 0, 0, 0, 0})
	var body []byte
	for _, p := range params {
		body = appendLength(appendLength(body, len(p.name)), len(p.value))
		body = append(append(body, p.name...), p.value...)
	}
	for len(body) > 0 {
		part := body[:min(len(body), 0xfff8)]
		dst = appendRecord(dst, fcgiParams, part)
		body = body[len(part):]
	}
	dst = appendRecord(dst, fcgiParams, nil)
	return appendRecord(dst, fcgiStdin, nil)
}

func appendRecord(dst []byte, kind byte, content []byte) []byte {
	dst = append(dst, fcgiVersion, kind, 0, fcgiRequestID)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(content)))
	dst = append(dst, 0, 0) // no padding
	return append(dst, content...)
}

// appendLength writes a length in one byte, or in four with the highest bit set.
func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n)|1<<31)
}

// readFastCGI reads an answer to its end and returns what the program wrote to
// its standard output, at most limit bytes.
func readFastCGI(from io.Reader, limit int) ([]byte, error) {
	in := bufio.NewReader(from)
	var out []byte
	for {
		var head [fcgiHeader]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return out, fmt.Errorf("read FastCGI: %w", err)
		}
		if head[0] != fcgiVersion {
			return out, errFastCGI
		}
		content := make([]byte, binary.BigEndian.Uint16(head[4:]))
		if _, err := io.ReadFull(in, content); err != nil {
			return out, fmt.Errorf("read FastCGI: %w", err)
		}
		if _, err := in.Discard(int(head[6])); err != nil {
			return out, fmt.Errorf("read FastCGI: %w", err)
		}
		switch head[1] {
		case fcgiEndRequest:
			return out, nil
		case fcgiStdout:
			if len(out)+len(content) > limit {
				return out, errTooLong
			}
			out = append(out, content...)
		case fcgiStderr:
		default:
			return out, errFastCGI
		}
	}
}
