package spoor

// IsReturnPath reports whether an address is one that the Sender Rewriting Scheme made
// of the sender of a forwarded message: mail for it is a bounce that goes back to him,
// and no mailbox forwards that.
//
//	SRS0=HHH=TT=far.example=jane@mx1.example.com  SRS1+HHH=mx2.example==HHH=TT=far.example=jane@mx1.example.com
func IsReturnPath(address []byte) bool {
	const tag = "srs"
	if len(address) < len("SRS0=") {
		return false
	}
	for i := range len(tag) {
		if address[i]|0x20 != tag[i] {
			return false
		}
	}
	separator := address[4]
	return (address[3] == '0' || address[3] == '1') && (separator == '=' || separator == '+' || separator == '-')
}
