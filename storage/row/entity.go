package row

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
)

// EntityColumns are the columns of a living entity but for the descriptor,
// which is the column "descriptor" and wide.
const EntityColumns = `ref, uid, repository_id, path, document, line, entity, hash, errors, revision, commit_sha,
	delivery, since, first_seen, last_changed`

// Entity gives the values of EntityColumns and the descriptor.
func Entity(e storage.Entity) []any {
	return []any{
		e.Ref, e.UID, e.RepositoryID, e.Path, e.Document, e.Line, string(e.JSON), e.Hash, list(e.Errors), e.Revision,
		e.Commit, e.Delivery, Micros(e.Since), Micros(e.FirstSeen), Micros(e.LastChanged), string(e.Descriptor),
	}
}

// EntityKey is what an entity is replaced by.
func EntityKey(e storage.Entity) string { return e.Ref }

func entityTargets(e *storage.Entity) []any {
	return []any{
		&e.Ref, &e.UID, &e.RepositoryID, &e.Path, &e.Document, &e.Line, rawColumn{&e.JSON}, &e.Hash,
		jsonColumn{&e.Errors}, &e.Revision, &e.Commit, &e.Delivery, timeColumn{&e.Since}, timeColumn{&e.FirstSeen},
		timeColumn{&e.LastChanged}, relationsColumn{&e.Relations},
	}
}

// ScanEntity reads EntityColumns and the relations as an array of
// [source, type, target].
func ScanEntity(s Scanner) (e storage.Entity, err error) {
	return e, s.Scan(entityTargets(&e)...)
}

// ScanFullEntity reads what ScanEntity does, and the descriptor.
func ScanFullEntity(s Scanner) (e storage.Entity, err error) {
	return e, s.Scan(append(entityTargets(&e), rawColumn{&e.Descriptor})...)
}

// relationsColumn reads relations and sorts them as entity.Declaration promises.
// Sorting here spares both databases an ORDER BY inside an aggregate.
type relationsColumn struct{ dest *[]entity.Relation }

func (c relationsColumn) Scan(src any) error {
	text, err := textOf(src)
	if err != nil || text == "" {
		return err
	}
	relations, ok := plainRelations(text)
	if !ok {
		var edges [][3]string
		if err := json.Unmarshal([]byte(text), &edges); err != nil {
			return err
		}
		for _, e := range edges {
			relations = append(relations, entity.Relation{Source: e[0], Type: e[1], Target: e[2]})
		}
	}
	slices.SortFunc(relations, func(a, b entity.Relation) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Target, b.Target))
	})
	*c.dest = relations
	return nil
}

// plainRelations reads what the aggregate of a database wrote, if it holds no
// escapes, as good as always: the view reads a million of these when it starts.
// The relations share the text.
func plainRelations(text string) (relations []entity.Relation, ok bool) {
	if !strings.HasPrefix(text, "[[") || strings.IndexByte(text, '\\') >= 0 {
		return nil, false
	}
	// Every odd piece between quotes is a string: three for each relation.
	pieces := strings.Count(text, `"`)
	if pieces%6 != 0 {
		return nil, false
	}
	relations = make([]entity.Relation, pieces/6)
	for i := range relations {
		r := &relations[i]
		for _, dest := range [...]*string{&r.Source, &r.Type, &r.Target} {
			_, text, _ = strings.Cut(text, `"`)
			*dest, text, _ = strings.Cut(text, `"`)
		}
	}
	return relations, true
}

// ClaimColumns are all columns of a claim. Its relations stay JSON: nobody
// follows the edges of a losing claim.
const ClaimColumns = `ref, repository_id, path, document, line, descriptor, entity, relations, since, commit_sha, delivery`

// Claim gives the values of ClaimColumns.
func Claim(c storage.Claim) []any {
	return []any{
		c.Ref, c.RepositoryID, c.Path, c.Document, c.Line, string(c.Descriptor), string(c.JSON), list(c.Relations),
		Micros(c.Since), c.Commit, c.Delivery,
	}
}

// ScanClaim reads ClaimColumns.
func ScanClaim(s Scanner) (c storage.Claim, err error) {
	return c, s.Scan(&c.Ref, &c.RepositoryID, &c.Path, &c.Document, &c.Line, rawColumn{&c.Descriptor},
		rawColumn{&c.JSON}, jsonColumn{&c.Relations}, timeColumn{&c.Since}, &c.Commit, &c.Delivery)
}

// ChangeColumns are all columns of a change, the revision first.
const ChangeColumns = `revision, ref, uid, what, before_hash, after_hash, fields, cause, at`

// Change gives the values of ChangeColumns.
func Change(c storage.Change) []any {
	return []any{
		c.Revision, c.Ref, c.UID, string(c.What), c.BeforeHash, c.AfterHash, list(c.Fields), Cause(c.Cause), Micros(c.At),
	}
}

// ScanChange reads ChangeColumns.
func ScanChange(s Scanner) (c storage.Change, err error) {
	return c, s.Scan(&c.Revision, &c.Ref, &c.UID, &c.What, &c.BeforeHash, &c.AfterHash, jsonColumn{&c.Fields},
		jsonColumn{&c.Cause}, timeColumn{&c.At})
}
