package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// files looks who else may read the secrets.
func (d *Doctor) files(r *Report) {
	s := r.about("credentials")
	open := false
	for _, path := range d.Config.SecretFiles {
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o007 != 0 {
			open = true
			s.warn("chmod 600 "+path, "every user of this machine may read %s, which holds secrets", path)
		}
	}
	if !open && len(d.Config.SecretFiles) > 0 {
		s.ok("only their owner may read the files with secrets")
	}
}

// lowSpace is how much free space is too little: SQLite's log of a large scan, and more.
const lowSpace = 1 << 30

// dataDir looks whether the data directory can be written, making nothing that stays.
func (d *Doctor) dataDir(r *Report) {
	s := r.about("data directory")
	dir := d.Config.DataDir
	there, isNew := nearest(dir)
	f, err := os.CreateTemp(there, ".doctor-*")
	if err != nil {
		s.fail("give the user that runs Callboard the right to write there, or set callboard.dataDir", "%s cannot be written: %s", dir, err)
		return
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	free, known := freeSpace(there)
	switch {
	case known && free < lowSpace:
		s.warn("make room, or set callboard.dataDir to another disk", "%s has %d MB of free space", dir, free>>20)
	case isNew:
		s.ok("%s is not there yet; the first start makes it", dir)
	case known:
		s.ok("%s can be written, %d GB free", dir, free>>30)
	default:
		s.ok("%s can be written", dir)
	}
}

// nearest is the directory itself, or the one above it that is there.
func nearest(dir string) (string, bool) {
	isNew := false
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return dir, isNew
		}
		up := filepath.Dir(dir)
		if up == dir {
			return dir, isNew
		}
		dir, isNew = up, true
	}
}

func (d *Doctor) database(ctx context.Context, r *Report) {
	if d.Database == nil {
		return
	}
	s := r.about("database")
	name := "PostgreSQL"
	if c := d.Config.Database; c.Client != "pg" {
		name = "SQLite"
		if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
			s.ok("%s is not there yet; the first start makes it", c.Path)
			return
		}
	}
	r.Wait("asking the database")
	status, err := within(ctx, d.Database)
	switch {
	case err != nil && status.Server != "":
		s.fail("give the user of backend.database.connection the right to write and to make tables, or name the primary", "%s %s: %s", name, status.Server, err)
	case err != nil:
		s.fail("see that the database runs and that backend.database is right", "%s cannot be asked: %s", name, err)
	case status.Current > status.Latest:
		s.fail("run the version of Callboard that migrated it, or a newer one", "%s %s has migration %d, and this version knows %d", name, status.Server, status.Current, status.Latest)
	case status.Current == 0:
		s.ok("%s %s is empty; the first start migrates it", name, status.Server)
	case status.Current < status.Latest:
		s.warn("nothing: the next start of this version migrates it", "%s %s has migration %d of %d", name, status.Server, status.Current, status.Latest)
	default:
		s.ok("%s %s is up to date (migration %d) and takes writes", name, status.Server, status.Current)
	}
}

func (d *Doctor) bus(ctx context.Context, r *Report) {
	s := r.about("bus")
	if d.Config.Bus.Kind != "redis" {
		s.ok("in the process")
		return
	}
	if d.Redis == nil {
		return
	}
	r.Wait("asking Redis")
	status, err := within(ctx, d.Redis)
	switch {
	case err != nil:
		s.fail("see that Redis runs and that callboard.redis.url is right", "Redis cannot be asked: %s", err)
	case status.Old:
		s.fail("update Redis to 6.2 or newer", "Redis %s lacks what streams need", status.Version)
	case status.Policy != "" && status.Policy != "noeviction":
		s.warn("set maxmemory-policy noeviction", "Redis %s throws keys away when memory is short (%s); the stream could be one, and work would wait for the sweeper", status.Version, status.Policy)
	case status.SavesKnown && !status.Saves:
		s.warn("switch on appendonly or save, if restarts of Redis should not delay anything", "Redis %s keeps nothing over a restart; nothing is lost, but what waits is found by the sweeper only", status.Version)
	default:
		s.ok("Redis %s", status.Version)
	}
}

func (d *Doctor) webhookSecret(r *Report) {
	s := r.about("webhook secret")
	if n := len(d.Config.WebhookSecrets); n == 0 {
		s.fail("set integrations.github[].apps[].webhookSecret, or events.modules.github.webhookSecret for a token", "none is configured, and Callboard does not start without one")
	} else {
		s.ok("%d configured", n)
	}
}
