package jsondoc

import (
	"bytes"
	"slices"
	"strconv"
)

// AppendCanonical appends node i as a JavaScript program would print it with
// sorted keys: the form that the reference hashes for an etag (contract catalog
// 1.5). Members of node i itself for which omit answers true are left out; omit may be nil.
//
// Keys are sorted by byte. The reference sorts by UTF-16 unit, which differs
// only for keys with characters outside the basic plane.
func (d *Doc) AppendCanonical(dst []byte, i int, omit func(child int) bool) []byte {
	switch d.nodes[i].Kind {
	case Number:
		return AppendNumber(dst, d.Raw(i))
	case String:
		if d.nodes[i].escaped {
			return AppendString(dst, d.Text(i))
		}
		return append(dst, d.Raw(i)...)
	case Array:
		dst = append(dst, '[')
		first := true
		d.Children(i, func(c int) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = d.AppendCanonical(dst, c, nil)
			return true
		})
		return append(dst, ']')
	case Object:
		return d.appendCanonicalObject(dst, i, omit)
	}
	return append(dst, d.Raw(i)...)
}

func (d *Doc) appendCanonicalObject(dst []byte, i int, omit func(child int) bool) []byte {
	var buf [16]int
	members := buf[:0]
	d.Children(i, func(c int) bool {
		if omit == nil || !omit(c) {
			members = append(members, c)
		}
		return true
	})
	slices.SortStableFunc(members, func(a, b int) int { return bytes.Compare(d.Key(a), d.Key(b)) })
	dst = append(dst, '{')
	first := true
	for k, m := range members {
		if k+1 < len(members) && bytes.Equal(d.Key(m), d.Key(members[k+1])) {
			continue // of equal keys the last counts
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if d.nodes[m].keyEscaped {
			dst = AppendString(dst, d.Key(m))
		} else {
			dst = append(dst, d.RawKey(m)...)
		}
		dst = append(dst, ':')
		dst = d.AppendCanonical(dst, m, nil)
	}
	return append(dst, '}')
}

// AppendNumber appends a JSON number as JavaScript's String(Number) prints it:
// 1.0 is 1, 1e3 is 1000, 1e21 is 1e+21 (ECMA-262, Number::toString).
func AppendNumber(dst, raw []byte) []byte {
	if plainInteger(raw) {
		return append(dst, raw...)
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil { // out of range: JavaScript reads Infinity, which is null in JSON
		return append(dst, "null"...)
	}
	if f == 0 {
		return append(dst, '0') // also -0
	}
	abs := max(f, -f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go writes at least two digits of exponent, JavaScript as few as needed.
	if n := len(dst); n-at >= 4 && dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// plainInteger says whether a number is printed as it is written: digits only,
// few enough to be exact.
func plainInteger(raw []byte) bool {
	if len(raw) > 15 || string(raw) == "-0" {
		return false
	}
	for i, c := range raw {
		if (c < '0' || c > '9') && (i != 0 || c != '-') {
			return false
		}
	}
	return true
}

const hex = "0123456789abcdef"

// AppendString appends text as a JSON string with no more escapes than JSON needs.
func AppendString[T []byte | string](dst []byte, text T) []byte {
	dst = append(dst, '"')
	done := 0
	for i := range len(text) {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, text[done:]...), '"')
}
