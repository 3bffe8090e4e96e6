package live

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// errNoField is returned for a field that this kernel's structures do not have.
var errNoField = errors.New("the kernel has no such field")

// field is a place in a structure of the kernel.
type field struct {
	offset int
	size   int // bytes, at most 8 where it is read as a number
}

// shifted is the field seen from a pointer that leads into the middle of its
// structure.
func (f field) shifted(by int) field { return field{f.offset - by, f.size} }

// fields finds fields in the running kernel, by its own description of its types
// (BTF, Documentation/bpf/btf.rst). The first field that is missing is
// remembered, and every later one is a zero.
type fields struct {
	spec *btf.Spec
	err  error
}

// of finds a field by its structure and its path there: of("task_struct",
// "mm"), of("dentry", "d_name.name").
func (f *fields) of(structure, path string) field {
	if f.err != nil {
		return field{}
	}
	var at *btf.Struct
	if err := f.spec.TypeByName(structure, &at); err != nil {
		f.err = fmt.Errorf("struct %s: %w", structure, err)
		return field{}
	}
	var kind btf.Type = at
	found := field{}
	for name := range strings.SplitSeq(path, ".") {
		member, offset, ok := memberOf(kind, name)
		if !ok {
			f.err = fmt.Errorf("%s.%s: %w", structure, path, errNoField)
			return field{}
		}
		found.offset += offset
		kind = member
	}
	size, err := btf.Sizeof(kind)
	if err != nil {
		f.err = fmt.Errorf("%s.%s: %w", structure, path, err)
	}
	found.size = size
	return found
}

// memberOf looks for a member by its name, also in members without a name. The
// offset is in bytes: none that is wanted here is a bit field.
func memberOf(kind btf.Type, name string) (btf.Type, int, bool) {
	for _, member := range membersOf(kind) {
		at := int(member.Offset.Bytes())
		switch member.Name {
		case name:
			return btf.UnderlyingType(member.Type), at, true
		case "":
			if found, inner, ok := memberOf(btf.UnderlyingType(member.Type), name); ok {
				return found, at + inner, true
			}
		}
	}
	return nil, 0, false
}

func membersOf(kind btf.Type) []btf.Member {
	switch kind := kind.(type) {
	case *btf.Struct:
		return kind.Members
	case *btf.Union:
		return kind.Members
	default:
		return nil
	}
}
