package postfix

import (
	"strconv"
	"strings"
)

const base51 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxy"

// idInode is the inode number in a queue ID (MQID_GET_INUM of mail_queue.h).
func idInode(id string) (inode uint64, long, ok bool) {
	end := strings.LastIndexByte(id, 'z')
	if end >= minSecondDigits+microDigits {
		for _, c := range []byte(id[end+1:]) {
			digit := strings.IndexByte(base51, c)
			if digit < 0 || inode > 1<<57 {
				return 0, true, false
			}
			inode = inode*51 + uint64(digit)
		}
		return inode, true, end+1 < len(id)
	}
	if len(id) <= shortMicros {
		return 0, false, false
	}
	inode, err := strconv.ParseUint(id[shortMicros:], 16, 64)
	return inode, false, err == nil
}

// shortMicros is how many digits of microseconds a short ID begins with.
const shortMicros = 5
