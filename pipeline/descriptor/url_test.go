package descriptor

import "testing"

// What `new URL` of Node 20 says of these.
var urlVectors = []struct {
	in    string
	valid bool
}{
	{"https://a", true},
	{"https://a/", true},
	{"HTTP://A:80/x", true},
	{"https://a:443", true},
	{"https://a:65536", false},
	{"https://a:0", true},
	{"https://a:", true},
	{"https://u:p@h/", true},
	{"https://@h", true},
	{"https://u@", false},
	{"https:///a", true},
	{"https:\\\\a\\b", true},
	{"ftp://x", true},
	{"ws://x", true},
	{"file:///a", true},
	{"file://host/a", true},
	{"file:", true},
	{"http:", false},
	{"https://", false},
	{"http:///", false},
	{"https://%41", true},
	{"https://%zz", false},
	{"https://a%20b", false},
	{"https://[::1", false},
	{"https://[::g]", false},
	{"https://[1::2]:80", true},
	{"https://1.2.3.4.5", false},
	{"https://1.2.3", true},
	{"https://0x7f.1", true},
	{"https://256.1.1.1", false},
	{"https://1.2.3.4.", true},
	{"https://a..b", true},
	{"https://.", true},
	{"https://a_b", true},
	{"https://a b", false},
	{"https://{a}", true},
	{"https://${{x}}", true},
	{"https://a|b", false},
	{"https://a^b", false},
	{"https://a<b", false},
	{"foo://", true},
	{"foo://a b", false},
	{"foo:bar", true},
	{"foo://h:99999", false},
	{"foo://h:x", false},
	{"1foo:x", false},
	{"a+b-c.d:x", true},
	{"javascript:x", true},
	{"mailto:", true},
	{"  https://a  ", true},
	{"ht\ntps://a", true},
	{"https://a\t/b", true},
	{"x", false},
	{"", false},
	{"/", false},
	{"?", false},
	{"#", false},
	{"//a", false},
	{"\\\\a", false},
	{"blob:x", true},
	{"about:blank", true},
	{"https://-a", true},
	{"https://a-", true},
	{"https://é.com", true},
	{"https://a:8a", false},
	{"https://user:pa:ss@h:1/", true},
	{"foo://u@", false},
	{"https://a?b", true},
	{"https://a#b", true},
	{"foo://[::1]/", true},
	{"foo://[x]/", false},
	{"https://1e3", true},
	{"https://0", true},
	{"https://0x", true},
	{"https://09", false},
	{"https://a.0x", false},
	{"https://a.1", false},
}

func TestValidURL(t *testing.T) {
	t.Parallel()
	for _, tt := range urlVectors {
		if got := validURL(tt.in); got != tt.valid {
			t.Errorf("validURL(%q) = %v", tt.in, got)
		}
	}
}

const vectorBase = "https://github.com/o/r/tree/main/dir/f.yaml?q=1"

// What the URL resolution of Backstage gives for these against vectorBase.
var resolveVectors = []struct{ in, want string }{
	{"./x.yaml", "https://github.com/o/r/tree/main/dir/x.yaml?q=1"},
	{"x", "https://github.com/o/r/tree/main/dir/x?q=1"},
	{"../x", "https://github.com/o/r/tree/main/x?q=1"},
	{"../../../../../x", "https://github.com/x?q=1"},
	{"./a/../b/./c", "https://github.com/o/r/tree/main/dir/b/c?q=1"},
	{"a//b", "https://github.com/o/r/tree/main/dir/a//b?q=1"},
	{"./", "https://github.com/o/r/tree/main/dir/?q=1"},
	{"..", "https://github.com/o/r/tree/main/?q=1"},
	{".", "https://github.com/o/r/tree/main/dir/?q=1"},
	{"", "https://github.com/o/r/tree/main/dir/f.yaml?q=1"},
	{"?x", "https://github.com/o/r/tree/main/dir/f.yaml?q=1"},
	{"#y", "https://github.com/o/r/tree/main/dir/f.yaml?q=1#y"},
	{"x?y#z", "https://github.com/o/r/tree/main/dir/x?q=1#z"},
	{"x#z", "https://github.com/o/r/tree/main/dir/x?q=1#z"},
	{"/x", "https://github.com/o/r/tree/main/x?q=1"},
	{"/x?y", "https://github.com/o/r/tree/main/x%3Fy?q=1"},
	{"/x#z", "https://github.com/o/r/tree/main/x%23z?q=1"},
	{"//h/x", "https://github.com/o/r/tree/main//h/x?q=1"},
	{"\\x", "https://github.com/x?q=1"},
	{"\\\\h\\x", "https://h/x?q=1"},
	{"a b", "https://github.com/o/r/tree/main/dir/a%20b?q=1"},
	{"%2e%2e/x", "https://github.com/o/r/tree/main/x?q=1"},
	{"a%2fb", "https://github.com/o/r/tree/main/dir/a%2fb?q=1"},
	{"é", "https://github.com/o/r/tree/main/dir/%C3%A9?q=1"},
	{"*/**/{a,b}.yaml", "https://github.com/o/r/tree/main/dir/*/**/%7Ba,b%7D.yaml?q=1"},
	{"a:b", "a:b"},
	{"./a:b", "https://github.com/o/r/tree/main/dir/a:b?q=1"},
	{"http:x", "http:x"},
	{"https:x", "https:x"},
	{"https:/x", "https:/x"},
	{"HTTPS://github.com/O/R/blob/main/x", "HTTPS://github.com/O/R/tree/main/x"},
	{"https://github.com/o/r/edit/main/x", "https://github.com/o/r/tree/main/x"},
	{"x/", "https://github.com/o/r/tree/main/dir/x/?q=1"},
	{"a\\b", "https://github.com/o/r/tree/main/dir/a/b?q=1"},
	{"/", "https://github.com/o/r/tree/main/?q=1"},
	{"/../x", "https://github.com/o/r/tree/x?q=1"},
	{"/./a/..//b", "https://github.com/o/r/tree/main//b?q=1"},
	{" x ", "https://github.com/o/r/tree/main/dir/x?q=1"},
	{"a\tb", "https://github.com/o/r/tree/main/dir/ab?q=1"},
}

func TestResolveURL(t *testing.T) {
	t.Parallel()
	for _, tt := range resolveVectors {
		got, err := ResolveURL(tt.in, vectorBase, nil)
		if err != nil {
			got = "ERR"
		}
		if got != tt.want {
			t.Errorf("ResolveURL(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestResolveURLHosts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, target, base string
		hosts              []string
		want               string
	}{
		{"enterprise host", "./x.yaml", "https://ghe.acme.com/o/r/blob/main/a.yaml", []string{"github.com", "ghe.acme.com"}, "https://ghe.acme.com/o/r/tree/main/x.yaml"},
		{"unknown host", "./x.yaml", "https://ghe.acme.com/o/r/blob/main/a.yaml", nil, "https://ghe.acme.com/o/r/blob/main/x.yaml"},
		{"root of an unknown layout", "/x.yaml", "https://acme.com/a.yaml", nil, "https://acme.com/a.yaml/x.yaml"},
		{"commit", "../x.yaml", "https://github.com/o/r/tree/0123456789012345678901234567890123456789/d/a.yaml", nil, "https://github.com/o/r/tree/0123456789012345678901234567890123456789/x.yaml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ResolveURL(tt.target, tt.base, tt.hosts)
			if err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
	if got, err := ResolveURL("x", "not a url", nil); err == nil {
		t.Errorf("a base that is no URL gave %s", got)
	}
}
