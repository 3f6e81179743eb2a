package githubapp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A GraphQL answer must stay small and quick: GitHub gives it ten seconds.
const (
	lookupBatch = 100
	readBatch   = 40
	readBytes   = 2 << 20
)

type blobNode struct {
	OID         string
	ByteSize    int64
	Text        *string
	IsBinary    *bool
	IsTruncated bool
}

// whole is the content when the answer carries all of it.
func (b *blobNode) whole() ([]byte, bool) {
	if b.Text == nil || b.IsTruncated || b.IsBinary != nil && *b.IsBinary {
		return nil, false
	}
	// GitHub replaces what is not UTF-8; the length gives that away.
	if int64(len(*b.Text)) != b.ByteSize {
		return nil, false
	}
	return []byte(*b.Text), true
}

// splitNode decodes an object that has fixed fields and our numbered aliases.
type splitNode struct {
	fixed any
	blobs map[string]*blobNode
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *splitNode) UnmarshalJSON(raw []byte) error {
	if n.fixed != nil {
		if err := json.Unmarshal(raw, n.fixed); err != nil {
			return err
		}
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	for k, v := range all {
		if len(k) < 2 || k[0] != 'p' || k[1] < '0' || k[1] > '9' || string(v) == "null" {
			continue
		}
		var b blobNode
		if err := json.Unmarshal(v, &b); err != nil {
			return err
		}
		n.blobs[k] = &b
	}
	return nil
}

// remember keeps what an answer says of a path. A directory or submodule has
// no blob fields and counts as absent.
func (s *Snapshot) remember(path string, b *blobNode) {
	if b == nil || b.OID == "" {
		s.objects[path] = Object{}
		return
	}
	s.objects[path] = Object{SHA: b.OID, Size: b.ByteSize}
	if body, ok := b.whole(); ok {
		s.bodies[b.OID] = body
	}
}

// Facts are what GitHub said of the repository.
func (s *Snapshot) Facts() Repository { return s.Repository }

// Lookup finds the blobs at paths. Absent ones are missing from the answer,
// which is evidence: the commit is known and has no such file.
func (s *Snapshot) Lookup(ctx context.Context, paths []string) (map[string]Object, error) {
	found := map[string]Object{}
	var ask []string
	for _, p := range paths {
		o, known := s.objects[p]
		switch {
		case known && o.SHA != "":
			found[p] = o
		case !known && s.listed, s.Head == "":
		case !known:
			ask = append(ask, p)
		}
	}
	for batch := range slices.Chunk(ask, lookupBatch) {
		var fields strings.Builder
		vars := map[string]any{}
		for i, p := range batch {
			fmt.Fprintf(&fields, "\np%d:object(expression:$e%d){... on Blob{oid byteSize}}", i, i)
			vars[fmt.Sprintf("e%d", i)] = s.Head + ":" + p
		}
		blobs, err := s.ask(ctx, fields.String(), len(batch), vars)
		if err != nil {
			return nil, err
		}
		for i, p := range batch {
			s.remember(p, blobs[fmt.Sprintf("p%d", i)])
			if o := s.objects[p]; o.SHA != "" {
				found[p] = o
			}
		}
	}
	return found, nil
}

// Read fetches the contents of blobs, by SHA. The caller has looked at the
// sizes and asks for nothing it does not want whole.
func (s *Snapshot) Read(ctx context.Context, objects []Object) (map[string][]byte, error) {
	bodies := map[string][]byte{}
	var batch []Object
	var size int64
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := s.readBatch(ctx, batch)
		batch, size = nil, 0
		return err
	}
	for _, o := range objects {
		if _, ok := s.bodies[o.SHA]; ok || slices.ContainsFunc(batch, func(b Object) bool { return b.SHA == o.SHA }) {
			continue
		}
		if len(batch) == readBatch || size+o.Size > readBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		batch, size = append(batch, o), size+o.Size
	}
	if err := flush(); err != nil {
		return nil, err
	}
	for _, o := range objects {
		bodies[o.SHA] = s.bodies[o.SHA]
	}
	return bodies, nil
}

func (s *Snapshot) readBatch(ctx context.Context, batch []Object) error {
	var fields strings.Builder
	vars := map[string]any{}
	for i, o := range batch {
		fmt.Fprintf(&fields, "\np%d:object(oid:$e%d){... on Blob{oid byteSize text isBinary isTruncated}}", i, i)
		vars[fmt.Sprintf("e%d", i)] = o.SHA
	}
	blobs, err := s.askTyped(ctx, fields.String(), "GitObjectID", len(batch), vars)
	if err != nil {
		return err
	}
	for i, o := range batch {
		if b := blobs[fmt.Sprintf("p%d", i)]; b != nil {
			if body, ok := b.whole(); ok {
				s.bodies[o.SHA] = body
				continue
			}
		}
		// Too long or not text for GraphQL: the bytes themselves.
		body, res, err := s.client.rest.Git.GetBlobRaw(ctx, s.Owner, s.Name, o.SHA)
		if err != nil {
			if res != nil && res.StatusCode == http.StatusNotFound {
				return fmt.Errorf("blob %s of %s/%s: %w", o.SHA, s.Owner, s.Name, ErrNotFound)
			}
			return classify(err)
		}
		s.bodies[o.SHA] = body
	}
	return nil
}

func (s *Snapshot) ask(ctx context.Context, fields string, n int, vars map[string]any) (map[string]*blobNode, error) {
	return s.askTyped(ctx, fields, "String", n, vars)
}

// askTyped queries numbered object fields of the repository, whose argument is
// a variable of the given type each: paths never become part of the query's text.
func (s *Snapshot) askTyped(ctx context.Context, fields, varType string, n int, vars map[string]any) (map[string]*blobNode, error) {
	var q strings.Builder
	q.WriteString("query($owner:String!,$name:String!")
	declareVariables(&q, varType, n)
	q.WriteString("){repository(owner:$owner,name:$name){" + fields + "}}")
	vars["owner"], vars["name"] = s.Owner, s.Name
	blobs := map[string]*blobNode{}
	answer := struct{ Repository *splitNode }{&splitNode{blobs: blobs}}
	if err := s.client.query(ctx, q.String(), vars, &answer); err != nil {
		return nil, err
	}
	if answer.Repository == nil {
		return nil, ErrNotFound
	}
	return blobs, nil
}

func declareExpressions(q *strings.Builder, n int) { declareVariables(q, "String", n) }

func declareVariables(q *strings.Builder, varType string, n int) {
	for i := range n {
		fmt.Fprintf(q, ",$e%d:%s!", i, varType)
	}
}
