package sqlite

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callboard/callboard/storage/row"
)

var update = flag.Bool("update", false, "rewrite schema.sql")

func openTest(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "callboard.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var parameter = regexp.MustCompile(`\?\d*`)

// schema.sql is what all migrations together make. It is for people to read.
func TestSchemaIsFresh(t *testing.T) {
	t.Parallel()
	statements, err := collect(t.Context(), openTest(t), text, `SELECT sql FROM sqlite_master
		WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE 'goose_%' ORDER BY tbl_name, type DESC, name`)
	if err != nil {
		t.Fatal(err)
	}
	got := "-- Made by go test ./storage/sqlite -run TestSchemaIsFresh -update\n\n" + strings.Join(statements, ";\n") + ";\n"
	if *update {
		if err := os.WriteFile("schema.sql", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema.sql is stale, run this test with -update (-want +got):\n%s", diff)
	}
}

func diagnosticsPage(condition string) string {
	return selectDiagnostics + ` WHERE ` + condition + ` (repository_id, path, position) > (?, ?, ?)
		ORDER BY repository_id, path, position LIMIT ?`
}

// No read of one key or one page may walk a table.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	queries := []string{
		selectDelivery, knownDeliveries, finishDelivery, selectCheckpoint, selectCheckpoints, pruneMessages, pruneTombstones,
		pendingMessages, sweepMessages, parkedMessages, messageBacklog,
		finishMessages, retryMessages, postponeMessages, parkMessages, markSwept,
		repositoryByID, repositoriesNamed, updateRepository, selectFiles, deleteFiles,
		repositoryLocations, deleteOtherLocations,
		entitiesByRef, entitiesByRepository, deleteRelations, buryEntities,
		claimsByRef, claimsByRepository, conflictClaims, verifyRepository, deleteDiagnostics,
		selectConflict + ` WHERE ref > ? ORDER BY ref LIMIT ?`,
		selectRepositories + ` WHERE id > ? ORDER BY id LIMIT ?`,
		selectRepositories + ` WHERE id > ? AND error <> '' ORDER BY id LIMIT ?`,
		diagnosticsPage(``), diagnosticsPage(`repository_id = ? AND`), diagnosticsPage(`ref = ? AND`),
		diagnosticsPage(`rule = ? AND`), diagnosticsPage(`severity = ? AND`), countDiagnostics + ` GROUP BY severity, rule`, deleteClaims, deleteClaim,
		selectScan, scanBacklog, holdsOf, deleteScanHolds, deleteRepositoryHolds, repositoriesByID, pruneScans,
		`SELECT id FROM scans ORDER BY started_at DESC, id DESC LIMIT ?`,
		`SELECT id FROM scans WHERE lower(host) = lower(?) AND lower(owner) = lower(?) ORDER BY started_at DESC, id DESC LIMIT ?`,
		selectRevision, changesAfter, changesOf, deleteTombstone,
		selectTombstones + ` WHERE ` + tombstoneStands + tombstoneOrder + ` LIMIT ?`,
		selectTombstones + ` WHERE ` + tombstoneStands + ` AND ref ` + inSet,
		selectTombstones + ` WHERE ` + tombstoneStands + ` AND repository_id ` + inSet + tombstoneOrder,
		`SELECT guid FROM deliveries WHERE lower(repository) = lower(?) ORDER BY received_at DESC, id DESC LIMIT ?`,
		`SELECT guid FROM deliveries WHERE commit_sha = ? ORDER BY received_at DESC, id DESC LIMIT ?`,
		`SELECT guid FROM deliveries WHERE state = ? ORDER BY received_at DESC, id DESC LIMIT ?`,
	}
	detail := func(r row.Scanner) (v string, err error) {
		var id, parent, unused int
		return v, r.Scan(&id, &parent, &unused, &v)
	}
	for _, query := range queries {
		plan, err := collect(t.Context(), s, detail, "EXPLAIN QUERY PLAN "+parameter.ReplaceAllString(query, "1"))
		if err != nil {
			t.Errorf("%s\n%v", query, err)
		}
		for _, step := range plan {
			// In the order of an index is no walk: a page ends it, or the index holds
			// only what is open. Neither is what a subquery found by an index.
			inner := strings.HasPrefix(step, "SCAN (subquery") || step == "SCAN ranked"
			walks := strings.HasPrefix(step, "SCAN") && !inner && !strings.Contains(step, "USING") && !strings.Contains(step, "json_each")
			sorts := strings.Contains(step, "TEMP B-TREE FOR ORDER BY") && strings.Contains(query, "LIMIT ?")
			if walks || sorts {
				t.Errorf("%s\n%s", query, strings.Join(plan, "\n"))
				break
			}
		}
	}
}
