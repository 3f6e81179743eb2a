package bus

import "testing"

func TestOlder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		version string
		want    bool
	}{
		{"6.2.0", false}, {"6.2", false}, {"7.0.1", false}, {"6.0.16", true}, {"5.9", true}, {"10.0", false}, {"", false}, {"unknown", false}, {"6", false},
	}
	for _, tt := range tests {
		if got := older(tt.version, 6, 2); got != tt.want {
			t.Errorf("%q is older: %t", tt.version, got)
		}
	}
}
