package storagetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

func diagnostic(ref, rule string, severity entity.Severity) entity.Diagnostic {
	return entity.Diagnostic{Document: 1, Line: 2, Column: 3, Ref: ref, Rule: rule, Severity: severity, Message: "m\x00<", Hint: "h"}
}

func diagnosed(repo int64, path string, all ...entity.Diagnostic) storage.File {
	return storage.File{RepositoryID: repo, Path: path, Status: storage.FileBroken, Diagnostics: all}
}

// owned is an entity of a repository with an owner.
func owned(repo int64, ref, owner string) storage.Entity {
	e := anEntity(ref)
	e.RepositoryID = repo
	e.Relations = []entity.Relation{
		{Source: ref, Type: "ownedBy", Target: owner}, {Source: owner, Type: "ownerOf", Target: ref},
	}
	return e
}

func (f fixture) diagnostics(filter storage.DiagnosticFilter) (keys []string) {
	f.Helper()
	for _, d := range get[[]storage.FileDiagnostic](f)(f.store.Diagnostics(f.Context(), filter)) {
		keys = append(keys, fmt.Sprintf("%d %s %d %s %s", d.RepositoryID, d.Path, d.Position, d.Rule, d.Owner))
	}
	return keys
}

var diagnostics = []scenario{
	{"diagnostics follow their files", func(f fixture) {
		e, w := diagnostic("component:default/a", "name-format", entity.SeverityError), diagnostic("", "yaml-syntax", entity.SeverityWarning)
		f.write(func(tx writes) {
			tx.do(tx.PutFiles(tx.ctx, []storage.File{diagnosed(1, "b", e), diagnosed(1, "b", e, w), diagnosed(1, "a", w), diagnosed(2, "a", e)}))
		})
		same(f, "all", []string{"1 a 0 yaml-syntax ", "1 b 0 name-format ", "1 b 1 yaml-syntax ", "2 a 0 name-format "},
			f.diagnostics(storage.DiagnosticFilter{}))
		whole := get[[]storage.FileDiagnostic](f)(f.store.Diagnostics(f.Context(), storage.DiagnosticFilter{RepositoryID: 2}))[0]
		e.Path = "a"
		same(f, "whole", storage.FileDiagnostic{RepositoryID: 2, Diagnostic: e}, whole)
		f.write(func(tx writes) {
			tx.do(tx.PutFiles(tx.ctx, []storage.File{diagnosed(1, "b", w), diagnosed(2, "a")}))
			tx.do(tx.DeleteFiles(tx.ctx, 1, []string{"a"}))
		})
		same(f, "left", []string{"1 b 0 yaml-syntax "}, f.diagnostics(storage.DiagnosticFilter{}))
	}},
	{"diagnostics are filtered, paged and counted", filterDiagnostics},
}

func filterDiagnostics(f fixture) {
	a, b := "component:default/a", "component:default/b"
	f.write(func(tx writes) {
		tx.do(tx.PutEntities(tx.ctx, []storage.Entity{
			owned(1, a, "group:default/x"), owned(1, b, "group:default/y"), owned(2, "component:default/c", "group:default/z"),
		}))
		tx.do(tx.PutFiles(tx.ctx, []storage.File{
			diagnosed(1, "f", diagnostic(a, "r1", entity.SeverityError), diagnostic(b, "r2", entity.SeverityWarning), diagnostic("", "r1", entity.SeverityError)),
			diagnosed(2, "f", diagnostic("component:default/new", "r1", entity.SeverityError)),
			diagnosed(3, "f", diagnostic(a, "r2", entity.SeverityInfo)),
		}))
	})
	const x, y, bare, fresh, third = "1 f 0 r1 group:default/x", "1 f 1 r2 group:default/y", "1 f 2 r1 group:default/x", "2 f 0 r1 group:default/z", "3 f 0 r2 group:default/x"
	tests := []struct {
		name   string
		filter storage.DiagnosticFilter
		want   []string
		counts int
	}{
		{"all", storage.DiagnosticFilter{}, []string{x, y, bare, fresh, third}, 3},
		{"repository", storage.DiagnosticFilter{RepositoryID: 1}, []string{x, y, bare}, 2},
		{"ref", storage.DiagnosticFilter{Ref: a}, []string{x, third}, 2},
		{"rule", storage.DiagnosticFilter{Rule: "r1"}, []string{x, bare, fresh}, 1},
		{"severity", storage.DiagnosticFilter{Severity: entity.SeverityWarning}, []string{y}, 1},
		{"owner", storage.DiagnosticFilter{Owner: "group:default/x"}, []string{x, bare, third}, 2},
		{"together", storage.DiagnosticFilter{Owner: "group:default/x", Rule: "r1", Severity: entity.SeverityError, RepositoryID: 1, Ref: a}, []string{x}, 1},
		{"page", storage.DiagnosticFilter{After: storage.DiagnosticKey{RepositoryID: 1, Path: "f", Position: 1}, Limit: 2}, []string{bare, fresh}, 3},
		{"nothing", storage.DiagnosticFilter{Rule: "none"}, nil, 0},
	}
	for _, tt := range tests {
		same(f, tt.name, tt.want, f.diagnostics(tt.filter))
		same(f, tt.name+", counted", tt.counts, len(get[[]storage.DiagnosticCount](f)(f.store.CountDiagnostics(f.Context(), tt.filter))))
	}
	same(f, "counts", []storage.DiagnosticCount{
		{Severity: entity.SeverityError, Rule: "r1", Count: 3}, {Severity: entity.SeverityInfo, Rule: "r2", Count: 1},
		{Severity: entity.SeverityWarning, Rule: "r2", Count: 1},
	}, get[[]storage.DiagnosticCount](f)(f.store.CountDiagnostics(f.Context(), storage.DiagnosticFilter{})))
}

func losing(ref string, repo int64, path string, since time.Duration) storage.Claim {
	c := anEntity(ref).Claim
	c.RepositoryID, c.Path, c.Since = repo, path, at(since)
	return c
}

var conflicts = []scenario{
	{"conflicts are listed by ref, their claims by age", func(f fixture) {
		f.write(func(tx writes) {
			tx.do(tx.PutEntities(tx.ctx, []storage.Entity{owned(9, "b", "o")}))
			tx.do(tx.PutClaims(tx.ctx, []storage.Claim{
				losing("b", 2, "y", time.Hour), losing("b", 3, "x", 0), losing("a", 2, "x", 0), losing("c", 4, "x", 0),
			}))
		})
		list := func(filter storage.ConflictFilter) (out []string) {
			for _, c := range get[[]storage.Conflict](f)(f.store.Conflicts(f.Context(), filter)) {
				words := []string{c.Ref, fmt.Sprint(c.Total)}
				for _, l := range c.Claims {
					words = append(words, fmt.Sprint(l.RepositoryID, l.Path))
				}
				out = append(out, strings.Join(words, " "))
			}
			return out
		}
		const a, b, c = "a 1 2x", "b 2 3x 2y", "c 1 4x"
		same(f, "all", []string{a, b, c}, list(storage.ConflictFilter{}))
		same(f, "page", []string{b}, list(storage.ConflictFilter{After: "a", Limit: 1}))
		same(f, "ref", []string{b}, list(storage.ConflictFilter{Ref: "b"}))
		same(f, "of who claims", []string{a, b}, list(storage.ConflictFilter{RepositoryID: 2}))
		same(f, "of who serves", []string{b}, list(storage.ConflictFilter{RepositoryID: 9}))
		same(f, "nothing", 0, len(list(storage.ConflictFilter{After: "c"})))
	}},
	{"a ref that a thousand files claim is one conflict", func(f fixture) {
		const n = storage.MaxConflictClaims + 3
		f.write(func(tx writes) {
			for i := range n {
				tx.do(tx.PutClaims(tx.ctx, []storage.Claim{losing("a", int64(n-i), "f", time.Duration(i)*time.Second)}))
			}
		})
		got := get[[]storage.Conflict](f)(f.store.Conflicts(f.Context(), storage.ConflictFilter{}))
		if len(got) != 1 || got[0].Total != n || len(got[0].Claims) != storage.MaxConflictClaims || got[0].Claims[0].RepositoryID != n {
			f.Errorf("%d conflicts: %+v", len(got), got)
		}
	}},
}
