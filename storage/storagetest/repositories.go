package storagetest

import (
	"fmt"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

func repository(id int64, owner, name string) storage.Repository {
	return storage.Repository{
		ID: id, Host: "github.com", Owner: owner, Name: name, DefaultBranch: "main",
		HTMLURL: "https://github.com/" + owner + "/" + name, Visibility: "private", Archived: true, Fork: true,
		Topics: []string{"go", "a<b"}, InstallationID: 7, Discovered: true, State: storage.RepositoryActive,
		AppliedSHA: "c0ffee", AppliedAt: at(time.Second), SettingsHash: "h", HeadSHA: "beef",
		HeadAt: at(time.Minute), Error: "boom", ErrorAt: at(time.Hour), VerifiedAt: at(2 * time.Hour),
		Former: []string{"acme/trolley", "old/" + name},
	}
}

func (f fixture) put(r storage.Repository) (version int64) {
	f.Helper()
	f.write(func(tx writes) { version = must(tx.PutRepository(tx.ctx, r)) })
	return version
}

var repositories = []scenario{
	{"a repository is kept as it came", func(f fixture) {
		full, plain := repository(1<<40, "Acme", "Cart"), storage.Repository{ID: 2, Host: "github.com", Owner: "b", Name: "c"}
		full.Version = f.put(full)
		plain.Version = f.put(plain)
		same(f, "full", full, get[storage.Repository](f)(f.store.Repository(f.Context(), full.ID)))
		same(f, "plain", plain, get[storage.Repository](f)(f.store.Repository(f.Context(), 2)))
	}},
	{"a version is written once", func(f fixture) {
		r := repository(1, "acme", "cart")
		v1 := f.put(r)
		r.Version = v1
		r.Name = "basket"
		v2 := f.put(r)
		if v1 <= 0 || v2 <= v1 {
			f.Errorf("versions %d, %d do not rise", v1, v2)
		}
		wantErr(f, f.try(func(tx writes) { must(tx.PutRepository(tx.ctx, r)) }), storage.ErrStale)
		r.Version = 0
		wantErr(f, f.try(func(tx writes) { must(tx.PutRepository(tx.ctx, r)) }), storage.ErrStale)
		r.ID, r.Version = 2, 1
		wantErr(f, f.try(func(tx writes) { must(tx.PutRepository(tx.ctx, r)) }), storage.ErrStale)
		same(f, "name", "basket", get[storage.Repository](f)(f.store.Repository(f.Context(), 1)).Name)
	}},
	{"a stale write leaves the transaction usable", func(f fixture) {
		f.put(repository(1, "acme", "cart"))
		f.write(func(tx writes) {
			_, err := tx.PutRepository(tx.ctx, repository(1, "acme", "cart"))
			wantErr(f, err, storage.ErrStale)
			must(tx.PutRepository(tx.ctx, repository(2, "acme", "other")))
		})
		get[storage.Repository](f)(f.store.Repository(f.Context(), 2))
	}},
	{"names are compared in any case, active ones first", func(f fixture) {
		gone, hidden, active := repository(3, "acme", "cart"), repository(2, "Acme", "cart"), repository(1, "ACME", "Cart")
		gone.State, hidden.State = storage.RepositoryRemoved, storage.RepositoryUnreachable
		byName := func() int64 {
			return get[storage.Repository](f)(f.store.RepositoryByName(f.Context(), "GitHub.com", "aCME", "caRT")).ID
		}
		f.put(gone)
		same(f, "removed", int64(3), byName())
		f.put(hidden)
		same(f, "unreachable", int64(2), byName())
		f.put(active)
		same(f, "active", int64(1), byName())
	}},
	{"a former name counts after those who have it", func(f fixture) {
		named := func(id int64, name string, state storage.RepositoryState, former ...string) {
			r := repository(id, "acme", name)
			r.State, r.Former = state, former
			f.put(r)
		}
		named(1, "Cart", storage.RepositoryRemoved)
		named(2, "basket", storage.RepositoryRemoved, "acme/cart")
		named(3, "trolley", storage.RepositoryActive, "acme/other", "acme/cart")
		named(4, "CART", storage.RepositoryUnreachable)
		named(5, "cart", storage.RepositoryActive)
		named(6, "else", storage.RepositoryActive)
		elsewhere := repository(7, "acme", "cart")
		elsewhere.Host = "ghe.example.com"
		f.put(elsewhere)
		var order []int64
		for _, r := range get[[]storage.Repository](f)(f.store.RepositoriesNamed(f.Context(), "GITHUB.com", "Acme", "caRT")) {
			order = append(order, r.ID)
		}
		same(f, "repositories", []int64{5, 4, 3, 2, 1}, order)
		same(f, "the one", int64(3), get[storage.Repository](f)(f.store.RepositoryByName(f.Context(), "github.com", "acme", "OTHER")).ID)
		same(f, "none", 0, len(get[[]storage.Repository](f)(f.store.RepositoriesNamed(f.Context(), "github.com", "acme", "nothing"))))
	}},
	{"a repository is found by the commit that it is at", func(f fixture) {
		for id, sha := range []string{"aaaa", "bbbb", "aaaa"} {
			r := repository(int64(id)+1, "acme", fmt.Sprint("r", id))
			r.AppliedSHA = sha
			f.put(r)
		}
		same(f, "the only one", int64(2), get[storage.Repository](f)(f.store.RepositoryByCommit(f.Context(), "bbbb")).ID)
		same(f, "the first of two", int64(1), get[storage.Repository](f)(f.store.RepositoryByCommit(f.Context(), "aaaa")).ID)
		_, err := f.store.RepositoryByCommit(f.Context(), "cccc")
		wantErr(f, err, storage.ErrNotFound)
	}},
	{"an unknown repository is not found", func(f fixture) {
		_, err := f.store.Repository(f.Context(), 1)
		wantErr(f, err, storage.ErrNotFound)
		_, err = f.store.RepositoryByName(f.Context(), "github.com", "acme", "cart")
		wantErr(f, err, storage.ErrNotFound)
	}},
	{"a listing is by host, owner, name", func(f fixture) {
		other := repository(1, "z", "z")
		other.Host = "ghe.example.com"
		for _, r := range []storage.Repository{repository(2, "b", "a"), repository(3, "a", "b"), repository(4, "a", "B"), repository(5, "a", "a-b"), other} {
			f.put(r)
		}
		var order []int64
		for _, r := range get[[]storage.Repository](f)(f.store.Repositories(f.Context())) {
			order = append(order, r.ID)
		}
		same(f, "repositories", []int64{1, 4, 5, 3, 2}, order)
	}},
}

var repositoryPages = []scenario{
	{"pages go by id, and can be of the failed", func(f fixture) {
		for id := range int64(5) {
			r := repository(id+1, "acme", fmt.Sprint("r", 9-id))
			if id%2 == 0 {
				r.Error = ""
			}
			f.put(r)
		}
		unread := repository(-3, "acme", "unread")
		unread.Error = ""
		f.put(unread)
		page := func(filter storage.RepositoryFilter) (ids []int64) {
			for _, r := range get[[]storage.Repository](f)(f.store.RepositoryPage(f.Context(), filter)) {
				ids = append(ids, r.ID)
			}
			return ids
		}
		same(f, "all", []int64{-3, 1, 2, 3, 4, 5}, page(storage.RepositoryFilter{}))
		same(f, "page", []int64{3, 4}, page(storage.RepositoryFilter{After: 2, Limit: 2}))
		same(f, "failed", []int64{2, 4}, page(storage.RepositoryFilter{Failed: true}))
		same(f, "failed after", []int64{4}, page(storage.RepositoryFilter{Failed: true, After: 2}))
	}},
	{"a verification moves nothing but its time", func(f fixture) {
		want := repository(1, "acme", "cart")
		want.Version = f.put(want)
		want.VerifiedAt = at(3 * time.Hour)
		f.write(func(tx writes) {
			tx.do(tx.VerifyRepository(tx.ctx, 1, want.VerifiedAt))
			tx.do(tx.VerifyRepository(tx.ctx, 2, want.VerifiedAt)) // unknown: nothing to note
		})
		same(f, "repository", want, get[storage.Repository](f)(f.store.Repository(f.Context(), 1)))
		f.put(want) // the version is the one read before
	}},
}

func file(repo int64, path string) storage.File {
	return storage.File{
		RepositoryID: repo, Path: path, BlobSHA: "b10b", Role: storage.RoleTarget, Parent: "catalog-info.yaml",
		Origin: "url:https://github.com/acme/cart/blob/main/catalog-info.yaml",
		Inputs: map[string]string{"docs/api.yaml": "5a5a", "gone.json": ""}, Targets: []string{"./x/*.yaml"},
		External: []string{"https://github.com/acme/other/blob/main/c.yaml"}, Status: storage.FileBroken,
		Diagnostics: []entity.Diagnostic{{
			Path: path, Document: 1, Line: 2, Column: 3, Rule: "name-format", Severity: entity.SeverityError,
			Message: `"<x>" & "y"`, Hint: "h",
		}},
		Documents: 2,
		Roots: []storage.Root{
			{Name: "generated-1", Location: "url:https://github.com/acme/cart/blob/main/catalog-info.yaml", Optional: true},
			{Name: "generated-2", Location: "url:https://github.com/acme/cart/tree/main/catalog-info.yaml"},
		},
		Errors: []entity.StatusItem{{Type: "x", Level: "error", Message: "m", Error: &entity.Error{Name: "n"}}},
	}
}

func paths(fs []storage.File) []string {
	var all []string
	for _, f := range fs {
		all = append(all, f.Path)
	}
	return all
}

var files = []scenario{
	{"files are kept as they came, by path", func(f fixture) {
		plain := storage.File{RepositoryID: 1, Path: "a/z.yaml", Role: storage.RolePattern, Status: storage.FileOK}
		want := []storage.File{file(1, "B.yaml"), plain, file(1, "a/z.yaml/b"), file(1, "ä.yaml")}
		f.write(func(tx writes) {
			tx.do(tx.PutFiles(tx.ctx, []storage.File{want[3], want[1], want[0], want[2], file(2, "B.yaml")}))
			same(f, "in the transaction", want, must(tx.Files(tx.ctx, 1)))
		})
		same(f, "files", want, get[[]storage.File](f)(f.store.Files(f.Context(), 1)))
	}},
	{"files are replaced and deleted", func(f fixture) {
		f.write(func(tx writes) {
			tx.do(tx.PutFiles(tx.ctx, []storage.File{file(1, "a"), file(1, "b"), file(1, "c"), file(2, "a")}))
		})
		fixed := storage.File{RepositoryID: 1, Path: "b", Status: storage.FileOK}
		f.write(func(tx writes) {
			tx.do(tx.PutFiles(tx.ctx, []storage.File{file(1, "b"), fixed})) // the last of one path stands
			tx.do(tx.DeleteFiles(tx.ctx, 1, []string{"a", "c", "unknown"}))
			tx.do(tx.DeleteFiles(tx.ctx, 1, nil))
			tx.do(tx.PutFiles(tx.ctx, nil))
		})
		same(f, "files", []storage.File{fixed}, get[[]storage.File](f)(f.store.Files(f.Context(), 1)))
		same(f, "of the neighbour", []string{"a"}, paths(get[[]storage.File](f)(f.store.Files(f.Context(), 2))))
	}},
	{"a deleted repository takes its files with it", func(f fixture) {
		f.put(repository(-1, "acme", "cart"))
		f.put(repository(2, "acme", "cart"))
		f.write(func(tx writes) {
			tx.do(tx.PutFiles(tx.ctx, []storage.File{file(-1, "a"), file(-1, "b"), file(2, "a")}))
			tx.do(tx.DeleteRepository(tx.ctx, -1))
			tx.do(tx.DeleteRepository(tx.ctx, 3))
		})
		_, err := f.store.Repository(f.Context(), -1)
		wantErr(f, err, storage.ErrNotFound)
		same(f, "its files", 0, len(get[[]storage.File](f)(f.store.Files(f.Context(), -1))))
		same(f, "its diagnostics", 0, len(f.diagnostics(storage.DiagnosticFilter{RepositoryID: -1})))
		same(f, "of the neighbour", []string{"a"}, paths(get[[]storage.File](f)(f.store.Files(f.Context(), 2))))
	}},
}
