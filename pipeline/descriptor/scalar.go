package descriptor

import (
	"encoding/base64"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// kindOf names what a plain scalar resolves to, which is what an explicit tag is compared with.
type kindOf string

const (
	isNull  kindOf = "!!null"
	isBool  kindOf = "!!bool"
	isInt   kindOf = "!!int"
	isFloat kindOf = "!!float"
	isStr   kindOf = "!!str"
)

var (
	intPattern   = regexp.MustCompile(`^[-+]?[0-9]+$`)
	floatPattern = regexp.MustCompile(`^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$`)
	octalPattern = regexp.MustCompile(`^0o[0-7]+$`)
	hexPattern   = regexp.MustCompile(`^0x[0-9a-fA-F]+$`)
)

// resolvePlain reads a plain scalar by the core schema of YAML 1.2 (contract
// catalog 1.8), or by YAML 1.1 where the document asks for it.
func resolvePlain(s string, v11 bool) (any, kindOf) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil, isNull
	case "true", "True", "TRUE":
		return true, isBool
	case "false", "False", "FALSE":
		return false, isBool
	case ".nan", ".NaN", ".NAN":
		return math.NaN(), isFloat
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return math.Inf(1), isFloat
	case "-.inf", "-.Inf", "-.INF":
		return math.Inf(-1), isFloat
	}
	if v11 {
		if v, kind, ok := resolve11(s); ok {
			return v, kind
		}
		return s, isStr
	}
	if c := s[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return s, isStr
	}
	switch {
	case intPattern.MatchString(s):
		return parseFloat(s), isInt
	case octalPattern.MatchString(s):
		return parseBase(s[2:], 8), isInt
	case hexPattern.MatchString(s):
		return parseBase(s[2:], 16), isInt
	case floatPattern.MatchString(s):
		return parseFloat(s), isFloat
	}
	return s, isStr
}

var (
	intPattern11    = regexp.MustCompile(`^[-+]?[0-9][0-9_]*$`)
	octalPattern11  = regexp.MustCompile(`^[-+]?0[0-7_]+$`)
	binaryPattern11 = regexp.MustCompile(`^[-+]?0b[0-1_]+$`)
	hexPattern11    = regexp.MustCompile(`^[-+]?0x[0-9a-fA-F_]+$`)
	floatPattern11  = regexp.MustCompile(`^[-+]?(?:[0-9][0-9_]*)?\.?[0-9_]*(?:[eE][-+]?[0-9]+)?$`)
	base60Pattern   = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(\.[0-9_]*)?$`)
	timePattern     = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})` +
		`(?:(?:t|T|[ \t]+)([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]+)?)(?:[ \t]*(Z|[-+][012]?[0-9](?::[0-9]{2})?))?)?$`)
)

// resolve11 reads what YAML 1.1 sees in a plain scalar beyond the words it shares with 1.2.
func resolve11(s string) (any, kindOf, bool) {
	switch s {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		return true, isBool, true
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return false, isBool, true
	}
	digits, sign := strings.ReplaceAll(s, "_", ""), 1.0
	body := strings.TrimLeft(digits, "+-")
	if strings.HasPrefix(s, "-") {
		sign = -1
	}
	switch {
	case binaryPattern11.MatchString(s):
		return sign * parseBase(body[2:], 2), isInt, true
	case octalPattern11.MatchString(s):
		return sign * parseBase(body[1:], 8), isInt, true
	case intPattern11.MatchString(s):
		return parseFloat(digits), isInt, true
	case hexPattern11.MatchString(s):
		return sign * parseBase(body[2:], 16), isInt, true
	case strings.ContainsAny(s, ".eE") && strings.ContainsAny(s, "0123456789") && floatPattern11.MatchString(s):
		return parseFloat(digits), isFloat, true
	case base60Pattern.MatchString(s):
		n := 0.0
		for part := range strings.SplitSeq(body, ":") {
			n = n*60 + parseFloat(part)
		}
		return sign * n, isInt, true
	case timePattern.MatchString(s):
		return timestamp(s), "!!timestamp", true
	}
	return nil, "", false
}

// resolveTagged reads a scalar with an explicit tag. A tag that does not fit
// the text, or that nobody knows, leaves a string.
func resolveTagged(tag, s string, v11 bool) any {
	switch kind := kindOf(tag); kind {
	case isNull, isBool, isInt, isFloat:
		if v, found := resolvePlain(s, v11); found == kind {
			return v
		}
	case "!!binary":
		return binary(s)
	case "!!timestamp":
		if timePattern.MatchString(s) {
			return timestamp(s)
		}
	}
	return s
}

func parseFloat(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64) // out of range gives an infinity, which is what JavaScript has
	return f
}

func parseBase(s string, base int) float64 {
	n, ok := new(big.Int).SetString(s, base)
	if !ok {
		return math.NaN()
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// binary is a Buffer as JSON shows it.
func binary(s string) any {
	s = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\t' || r == '=' {
			return -1
		}
		return r
	}, s)
	data, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return s
	}
	b := []byte(`{"type":"Buffer","data":[`)
	for i, c := range data {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(c), 10)
	}
	return opaque{string(append(b, "]}"...))}
}

// timestamp is a Date as JSON shows it.
func timestamp(s string) any {
	m := timePattern.FindStringSubmatch(s)
	num := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
	seconds := parseFloat("0" + m[6])
	t := time.Date(num(1), time.Month(num(2)), num(3), num(4), num(5), 0, int(seconds*1e9), time.UTC)
	if zone := m[7]; zone != "" && zone != "Z" {
		hours, minutes, _ := strings.Cut(zone, ":")
		h, _ := strconv.Atoi(hours)
		d, _ := strconv.Atoi(minutes)
		if h < 0 {
			d = -d
		}
		t = t.Add(-time.Duration(h)*time.Hour - time.Duration(d)*time.Minute)
	}
	return opaque{`"` + t.Format("2006-01-02T15:04:05.000Z") + `"`}
}
