package postgres_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/test/services"
)

// Migration 0004 makes of stored files the rows that PutFiles writes.
func TestDiagnosticsAreBackfilled(t *testing.T) {
	t.Parallel()
	migration, err := os.ReadFile("migrations/0004_explain.sql")
	if err != nil {
		t.Fatal(err)
	}
	backfill := regexp.MustCompile(`(?s)INSERT INTO diagnostics.*?;`).FindString(string(migration))
	dsn := services.Postgres(t)
	s := open(t, dsn)
	rows := func() []storage.FileDiagnostic {
		all, err := s.Diagnostics(t.Context(), storage.DiagnosticFilter{})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	err = s.InTx(t.Context(), func(ctx context.Context, tx storage.Tx) error {
		return tx.PutFiles(ctx, []storage.File{{RepositoryID: 1, Path: "a", Diagnostics: []entity.Diagnostic{
			{Path: "a", Ref: "component:default/x", Rule: "r", Severity: entity.SeverityError, Message: "\"<&>\x00é"},
			{Path: "a", Rule: "s", Severity: entity.SeverityInfo},
		}}, {RepositoryID: 2, Path: "fine"}})
	})
	if err != nil {
		t.Fatal(err)
	}
	want := rows()
	want[0].Message = strings.ReplaceAll(want[0].Message, "\x00", "\uFFFD") // what was written before loses its NUL
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, query := range []string{"DELETE FROM diagnostics", backfill} {
		if _, err := conn.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, rows()); diff != "" || len(want) != 2 {
		t.Errorf("-written +backfilled:\n%s", diff)
	}
}

// GitHub waits ten seconds for an answer: while a replica migrates, others must
// go on taking deliveries.
func TestDeliveriesAreTakenDuringTheMigration(t *testing.T) {
	t.Parallel()
	migration, err := os.ReadFile("migrations/0004_explain.sql")
	if err != nil {
		t.Fatal(err)
	}
	dsn := services.Postgres(t)
	s := open(t, dsn)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	undo := "DROP TABLE diagnostics; ALTER TABLE repositories DROP COLUMN verified_at; DROP INDEX repositories_applied; DROP INDEX repositories_failed"
	if _, err := conn.Exec(t.Context(), undo); err != nil {
		t.Fatal(err)
	}
	open, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.Exec(t.Context(), string(migration)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = s.InTx(ctx, func(ctx context.Context, tx storage.Tx) error {
		_, err := tx.AddDeliveries(ctx, []storage.Delivery{{GUID: "g", Event: "push", State: storage.DeliveryReceived, ReceivedAt: time.Now()}})
		return err
	})
	if err != nil {
		t.Errorf("while the migration is open: %v", err)
	}
	if err := open.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}
