package services

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres lends an empty database to one test and answers its DSN.
//
// Databases are used again, by later tests and processes: making and dropping
// one takes PostgreSQL a second on a busy disk. Which are free is told by
// advisory locks, which end with the process that holds them.
func Postgres(t testing.TB) string {
	t.Helper()
	dsn, err := sharedPostgres()
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v\nInstall it (Debian: apt-get install postgresql), set $%s, or use `make test`.", err, EnvPostgres)
	}
	ctx := t.Context()
	admin, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect to PostgreSQL for tests: %v", err)
	}
	t.Cleanup(func() { _ = admin.Close(context.Background()) }) // which gives the lock back
	name, err := claimPostgres(ctx, admin)
	if err != nil {
		t.Fatal(err)
	}
	own := withDatabase(dsn, name)
	if err := administer(ctx, own, reset); err != nil {
		t.Fatal(err)
	}
	return own
}

// reset empties a database. Who was killed may still be connected to it.
const reset = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
	DROP SCHEMA public CASCADE;
	CREATE SCHEMA public`

// lockClass sets our advisory locks apart from others'.
const lockClass = 0xCA11

// claimPostgres locks the first free database and makes it if it is new.
func claimPostgres(ctx context.Context, admin *pgx.Conn) (name string, err error) {
	for n := 0; ; n++ {
		var free, made bool
		name = "callboard_test_" + strconv.Itoa(n)
		err := admin.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2), EXISTS (SELECT FROM pg_database WHERE datname = $3)`,
			lockClass, n, name).Scan(&free, &made)
		if err != nil {
			return "", fmt.Errorf("look for a free database: %w", err)
		}
		if !free {
			continue
		}
		if made {
			return name, nil
		}
		if _, err := admin.Exec(ctx, `CREATE DATABASE `+name); err != nil {
			return "", fmt.Errorf("make a database: %w", err)
		}
		return name, nil
	}
}

// sharedPostgres is the server of this process, or the one we were told of.
var sharedPostgres = sync.OnceValues(func() (string, error) {
	if dsn := os.Getenv(EnvPostgres); dsn != "" {
		return dsn, nil
	}
	s, err := StartPostgres(context.Background())
	if err != nil {
		return "", err
	}
	return s.URL, nil // it ends with the process
})

func administer(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL for tests: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// withDatabase names another database in a DSN of either form. In the keyword
// form the last mention wins.
func withDatabase(dsn, name string) string {
	if u, err := url.Parse(dsn); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		u.Path = "/" + name
		return u.String()
	}
	return dsn + " dbname=" + name
}

// StartPostgres starts a private server in a folder of its own. fsync stays on:
// what is measured on it should mean something.
func StartPostgres(ctx context.Context) (*Server, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	return attempt(ctx, func(port int) (*Server, error) {
		dir, err := initdb(ctx, bin, owner)
		if err != nil {
			return nil, err
		}
		s := &Server{URL: fmt.Sprintf("postgres://callboard@127.0.0.1:%d/postgres?sslmode=disable", port)}
		s.start = func() (*process, error) {
			// QUIT is PostgreSQL's immediate shutdown: nobody wants this data again.
			return launch(dir, owner, "QUIT", true, filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"),
				"-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", "", "-c", "max_connections=300")
		}
		s.ready = func(ctx context.Context) error { return administer(ctx, s.URL, `SELECT 1`) }
		return s, nil
	})
}

func initdb(ctx context.Context, bin string, owner *syscall.Credential) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "callboard-postgres-"); err != nil {
		return "", fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return "", fmt.Errorf("give the folder to PostgreSQL's user: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "callboard", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return dir, nil
}

// postgresBin finds the newest server: in PATH, or where Debian keeps it.
func postgresBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well formed
	if len(found) == 0 {
		return "", fmt.Errorf("initdb: %w", ErrMissing)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // an odd name counts as oldest
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// postgresOwner is who the server runs as: PostgreSQL refuses to be root.
func postgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("find a user for PostgreSQL, which refuses root: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the id of %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("read the group of %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
