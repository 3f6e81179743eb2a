//go:build !linux

package githubsim

// fastDir is "", the system's temporary directory.
func fastDir() string { return "" }
