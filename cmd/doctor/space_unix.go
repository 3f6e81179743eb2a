//go:build linux || darwin

package doctor

import "syscall"

// freeSpace says how many bytes an ordinary user may still write.
func freeSpace(dir string) (bytes uint64, known bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true
}
