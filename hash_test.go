package spoor_test

import (
	"bytes"
	"testing"

	"spoor"
)

func TestNobodyCanMakeUpADomainWithTheHashOfAnother(t *testing.T) {
	for served, made := range map[string]string{ // found in seconds, for the hash without a key
		"x@here.test":    "x@0yr6h5jywoq.-c6f",
		"x@shop.example": "x@40j74j135-47g.tx",
	} {
		_, domain := spoor.AddressHash([]byte(served))
		if _, other := spoor.AddressHash([]byte(made)); other == domain {
			t.Errorf("%s and %s have one domain", served, made)
		}
	}
}

// FuzzAddressHash holds the hashes to what they are for: equal texts have equal
// ones wherever they lie in memory, others in practice do not, and the domain is
// what follows the last @ without regard to case.
func FuzzAddressHash(f *testing.F) {
	for _, address := range []string{
		"", "@", "a", "a@", "@b.test", "a@b@c.test", "Anna@Example.COM", "anna@example.com", "aaaaaaaa", "aaaaaaaaaaaaaaaa", "u282559@remote0002.test",
		"\x00", "\x00\x00", "[\\]^_`{|}~@[\\]^_`{|}~@AZaz[`{", "\xc1\xda\xe1\xfa@\xc1\xda\xe1\xfa\x80\xff",
	} {
		f.Add([]byte(address))
	}
	f.Fuzz(func(t *testing.T, address []byte) {
		whole, domain := spoor.AddressHash(address)
		if again, _ := spoor.AddressHash(append([]byte("x"), address...)[1:]); again != whole || whole == 0 {
			t.Errorf("%q: hashes %#x and %#x", address, whole, again)
		}
		at := bytes.LastIndexByte(address, '@')
		if (domain != 0) != (at >= 0) {
			t.Errorf("%q: hash of the domain is %#x", address, domain)
		}
		lowered := bytes.Clone(address)
		for i, c := range lowered {
			if i > at && 'A' <= c && c <= 'Z' {
				lowered[i] += 'a' - 'A'
			}
		}
		if _, folded := spoor.AddressHash(lowered); folded != domain {
			t.Errorf("%q: case changes the hash of the domain", address)
		}
		if one, _ := spoor.AddressHash(lowered); (one == whole) != bytes.Equal(lowered, address) {
			t.Errorf("%q: case does not change the hash", address)
		}
		for i := range lowered {
			before := lowered[i]
			lowered[i] ^= 1
			if one := spoor.IDHash(lowered); one == spoor.IDHash(address) && !bytes.Equal(lowered, address) {
				t.Errorf("%q and %q have one hash", lowered, address)
			}
			lowered[i] = before
		}
	})
}
