package view

import (
	"bytes"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// textMark begins and ends every value of a text. No lower-cased text holds it:
// it is no UTF-8.
const textMark = "\xff"

// maxTexts is how many fields keep a text: it holds their values once more.
const maxTexts = 8

// text holds all values of a field, in lower case, one behind the other, so
// that one search of some megabytes finds all values with a part. It is made
// when somebody searches, and kept from then on.
type text struct {
	all []byte
	// dead is how much of it nobody has as value any more.
	dead int
}

func (t *text) made() bool { return t.all != nil }

func (t *text) add(lower string) {
	t.all = append(append(t.all, lower...), textMark...)
}

// remove counts only. A value that comes back is then found twice, which does no harm.
func (t *text) remove(lower string) {
	if t.dead += len(lower) + 1; t.dead > len(t.all)/2 {
		*t = text{} // the next search makes a smaller one
	}
}

// text finds a field's text, or makes it.
func (ix *index) text(f *field) []byte {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if f.text.made() {
		return f.text.all
	}
	f.text.all = []byte(textMark)
	for value := range f.values.all() {
		f.text.add(fold(value))
	}
	ix.searched = slices.DeleteFunc(ix.searched, func(other *field) bool { return other == f || !other.text.made() })
	if len(ix.searched) == maxTexts {
		ix.searched[0].text = text{}
		ix.searched = append(ix.searched[:0], ix.searched[1:]...)
	}
	ix.searched = append(ix.searched, f)
	return f.text.all
}

// containing are the entities that have a value under the key which contains
// the part, in lower case; a part that begins with textMark begins the value.
// The bitmap must not be changed.
func (ix *index) containing(key, part string) *roaring.Bitmap {
	var sets []idset
	if f := ix.fields[key]; f != nil {
		all := ix.text(f)
		begins := strings.HasPrefix(part, textMark)
		for at := 0; at < len(all)-1; {
			if !begins {
				at++ // to behind the mark
			}
			i := bytes.Index(all[at:], []byte(part))
			if i < 0 || at+i == len(all) {
				break
			}
			start := at + i + 1
			if !begins {
				start = bytes.LastIndex(all[:at+i], []byte(textMark)) + 1
			}
			if start == len(all) {
				break // behind the last value
			}
			at = start + bytes.Index(all[start:], []byte(textMark))
			sets = f.values.having(sets, string(all[start:at]))
		}
	}
	if set, ok := ix.flags[key]; ok && strings.Contains(textMark+"true", part) {
		sets = append(sets, set)
	}
	return union(sets)
}
