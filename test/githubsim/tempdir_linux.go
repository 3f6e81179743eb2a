package githubsim

import "syscall"

// fastDir is where temporary repositories go: memory, where there is plenty of
// it. A repository is a dozen small files and directories, which a disk takes
// milliseconds for; in memory it is a quarter of one, and a benchmark of
// thousands of repositories does not measure the disk.
func fastDir() string {
	const shm, enough = "/dev/shm", 2 << 30
	var st syscall.Statfs_t
	if err := syscall.Statfs(shm, &st); err != nil || st.Bavail*uint64(st.Bsize) < enough {
		return ""
	}
	const mayWrite = 2 // W_OK of access(2)
	if syscall.Access(shm, mayWrite) != nil {
		return ""
	}
	return shm
}
