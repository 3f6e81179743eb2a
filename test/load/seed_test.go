package load

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
	"github.com/callboard/callboard/storage/postgres"
	"github.com/callboard/callboard/storage/sqlite"
	"github.com/callboard/callboard/test/harness"
)

// seeded is the repository that the entities of seed come from.
const seeded = 900_000_000

// database opens that of a World beside the program.
func database(b *testing.B, w *harness.World) (store storage.Store) {
	b.Helper()
	var err error
	if w.Config.Database.Client == "pg" {
		store, err = postgres.Open(b.Context(), w.Config.Database.DSN.Reveal())
	} else {
		store, err = sqlite.Open(b.Context(), w.Config.Database.Path)
	}
	if err != nil {
		b.Fatal(err)
	}
	return store
}

// seed fills the database of a World with n entities as an organisation has
// them: of ten, six are components, two APIs, one a resource, and the rest
// systems, groups and users. It goes around the pipeline, whose speed is
// measured elsewhere.
func seed(b *testing.B, w *harness.World, n int) storage.Store {
	b.Helper()
	store := database(b, w)
	random := rand.New(rand.NewPCG(1, uint64(n)))
	batch := func(from, to int, first bool) func(context.Context, storage.Tx) error {
		var entities []storage.Entity
		var changes []storage.Change
		for i := from; i < to; i++ {
			e := seedEntity(random, i, n)
			entities = append(entities, e)
			changes = append(changes, storage.Change{Ref: e.Ref, UID: e.UID, What: storage.ChangeCreated, AfterHash: e.Hash,
				Cause: storage.Cause{Reason: storage.ReasonScan}, At: e.FirstSeen})
		}
		return func(ctx context.Context, tx storage.Tx) error {
			if err := tx.LockCatalog(ctx); err != nil {
				return err
			}
			if first {
				if _, err := tx.PutRepository(ctx, storage.Repository{
					ID: seeded, Host: w.Config.GitHub[0].Host, Owner: "acme", Name: "everything", DefaultBranch: "main",
					HTMLURL: w.GitHub.URL() + "/acme/everything", State: storage.RepositoryActive, AppliedAt: time.Now(),
				}); err != nil {
					return err
				}
			}
			revisions, err := tx.AddChanges(ctx, changes)
			if err != nil {
				return err
			}
			for i := range entities {
				entities[i].Revision = revisions[i]
			}
			return tx.PutEntities(ctx, entities)
		}
	}
	const step = 1000
	for from := 0; from < n; from += step {
		if err := store.InTx(b.Context(), batch(from, min(n, from+step), from == 0)); err != nil {
			b.Fatal(err)
		}
	}
	return store
}

// seedKind says what the entity number i is, and its number among its kind.
func seedKind(i int) (kind string, number int) {
	decade := i / 10
	switch i % 10 {
	case 0, 1, 2, 3, 4, 5:
		return entity.KindComponent, decade*6 + i%10
	case 6, 7:
		return entity.KindAPI, decade*2 + i%10 - 6
	case 8:
		return entity.KindResource, decade
	}
	return []string{entity.KindSystem, entity.KindGroup, entity.KindUser, entity.KindUser}[decade%4], decade
}

func seedName(kind string, number int) string {
	return fmt.Sprintf("%s-%06d", kind[:1], number*7919%1_000_003)
}

func seedEntity(random *rand.Rand, i, n int) storage.Entity {
	kind, number := seedKind(i)
	name := seedName(kind, number)
	ref := entity.Ref{Kind: kind, Name: name}.String()
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	owner := "group:default/team-" + fmt.Sprint(random.IntN(20+n/500))
	system := "system:default/" + pick("shop", "billing", "search", "mail") + fmt.Sprint(random.IntN(20+n/200))
	spec := map[string]any{
		"type": pick("service", "website", "library"), "lifecycle": pick("production", "experimental", "deprecated"), "owner": owner, "system": system,
	}
	relations := both(ref, "ownedBy", "ownerOf", owner)
	relations = append(relations, both(ref, "partOf", "hasPart", system)...)
	if kind == entity.KindComponent {
		api := "api:default/" + seedName(entity.KindAPI, number/3)
		spec["providesApis"] = []string{api}
		relations = append(relations, both(ref, "providesApi", "apiProvidedBy", api)...)
	}
	url := fmt.Sprintf("https://github.com/acme/%s/tree/main/catalog-info.yaml", name)
	document := map[string]any{
		"apiVersion": "backstage.io/v1alpha1", "kind": kind, "spec": spec,
		"metadata": map[string]any{
			"name": name, "namespace": "default", "title": fmt.Sprintf("The %s of number %d", kind, number),
			"description": "What it does for its users, who needs it, and where to ask when it does not do it any more; written by the team that owns it.",
			"tags":        []string{pick("go", "java", "python", "rust"), pick("tier1", "tier2", "tier3"), pick("payments", "orders", "mail", "search")},
			"links":       []any{map[string]any{"url": "https://grafana.acme.test/d/" + name, "title": "Dashboard", "icon": "dashboard"}},
			"annotations": map[string]any{
				"github.com/project-slug": "acme/" + name, "backstage.io/techdocs-ref": "dir:.", "pagerduty.com/service-id": fmt.Sprintf("P%07d", number),
				entity.AnnotationLocation: "url:" + url, entity.AnnotationOriginLocation: "url:" + url, entity.AnnotationViewURL: url,
				entity.AnnotationEditURL: url, entity.AnnotationSourceLocation: fmt.Sprintf("url:https://github.com/acme/%s/tree/main/", name),
			},
		},
	}
	raw, err := json.Marshal(document)
	if err != nil {
		panic(err) // strings and lists only
	}
	sum := sha256.Sum256(raw)
	now := time.Now().UTC()
	return storage.Entity{
		Claim: storage.Claim{
			Declaration:  entity.Declaration{Ref: ref, Line: 1, Descriptor: raw, JSON: raw, Relations: relations},
			RepositoryID: seeded, Path: name + "/catalog-info.yaml", Since: now, Commit: hex.EncodeToString(sum[:20]),
		},
		UID: uuid.NewString(), Hash: hex.EncodeToString(sum[:16]), FirstSeen: now, LastChanged: now,
	}
}

func both(source, there, back, target string) []entity.Relation {
	return []entity.Relation{{Source: source, Type: there, Target: target}, {Source: target, Type: back, Target: source}}
}
