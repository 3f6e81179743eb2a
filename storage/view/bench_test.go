package view_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/view"
)

// org makes n entities as a company has them: three of four are components
// with an owner and a system, the rest the APIs, systems and groups they name.
func org(n int) []storage.Entity {
	rows := make([]storage.Entity, 0, n)
	for i := range n {
		rows = append(rows, orgEntity(i, n, "production"))
	}
	return rows
}

func orgEntity(i, n int, lifecycle string) storage.Entity {
	groups, systems := max(1, n/100), max(1, n/40)
	repo := fmt.Sprintf("https://github.com/acme/repo-%05d/tree/main/", i/2)
	meta := func(name string) string {
		return fmt.Sprintf(`"metadata":{"name":%q,"namespace":"default","title":"The %s","description":"What %s does for those who need it, in a sentence or two as people write them.","labels":{"tier":"%d"},"annotations":{"backstage.io/managed-by-location":"url:%[5]scatalog-info.yaml","backstage.io/managed-by-origin-location":"url:%[5]scatalog-info.yaml","backstage.io/view-url":"%[5]scatalog-info.yaml","backstage.io/edit-url":"%[5]scatalog-info.yaml","backstage.io/source-location":"url:%[5]s","github.com/project-slug":"acme/repo-%05[6]d"},"tags":["go","team-%d"],"links":[{"url":"https://grafana.acme.example/d/%[1]s","title":"Dashboard"}]}`,
			name, name, name, i%3, repo, i/2, i%50)
	}
	uid := fmt.Sprintf("%08x-1111-4222-8333-%012x", i*2654435761%(1<<32), i)
	name := fmt.Sprintf("thing-%06d", i)
	owner := fmt.Sprintf("group:default/thing-%06d", (i%groups)*4)
	switch i % 4 {
	case 0:
		if i/4 < groups {
			return row("group:default/"+name, uid, `{"apiVersion":"backstage.io/v1alpha1","kind":"Group",`+meta(name)+`,"spec":{"type":"team","children":[]}}`)
		}
		api := "api:default/" + name
		return row(api, uid, `{"apiVersion":"backstage.io/v1alpha1","kind":"API",`+meta(name)+`,"spec":{"type":"openapi","lifecycle":"`+lifecycle+`","owner":"`+owner+`","definition":"openapi: 3.0.0\ninfo:\n  title: a small one that somebody left here as a placeholder for the real one, which is longer than two hundred characters and therefore not searchable by its value\n"}}`,
			api+" ownedBy "+owner, owner+" ownerOf "+api)
	}
	ref := "component:default/" + name
	system := fmt.Sprintf("system:default/s-%d", i%systems)
	dep := fmt.Sprintf("component:default/thing-%06d", (i*7+1)%n)
	api := fmt.Sprintf("api:default/thing-%06d", i/4*4)
	return row(ref, uid, `{"apiVersion":"backstage.io/v1alpha1","kind":"Component",`+meta(name)+fmt.Sprintf(`,"spec":{"type":"service","lifecycle":%q,"owner":%q,"system":%q,"dependsOn":[%q],"providesApis":["thing-%06d"]}}`, lifecycle, owner, system, dep, i/4*4),
		ref+" ownedBy "+owner, owner+" ownerOf "+ref, ref+" partOf "+system, system+" hasPart "+ref,
		ref+" dependsOn "+dep, dep+" dependencyOf "+ref, ref+" providesApi "+api, api+" apiProvidedBy "+ref)
}

var sizes = []int{10_000, 100_000}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rows := org(n)
			json := 0
			for _, r := range rows {
				json += len(r.JSON)
			}
			before := heap()
			var v *view.View
			b.ReportAllocs()
			for b.Loop() {
				v = loaded(b, 1, rows...)
			}
			b.ReportMetric(float64(heap()-before)/float64(n), "B/entity")
			b.ReportMetric(float64(json)/float64(n), "JSON-B/entity")
			runtime.KeepAlive(v)
			runtime.KeepAlive(rows)
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range sizes {
		v := loaded(b, 1, org(n)...)
		ref := refs(b, v, "kind=component")[n/2]
		component, err := view.ParseFilter([]string{"kind=component,metadata.tags=team-7"})
		if err != nil {
			b.Fatal(err)
		}
		kind, err := view.ParseFilter([]string{"kind=component"})
		if err != nil {
			b.Fatal(err)
		}
		fields, err := view.ParseFields([]string{"kind,metadata.name,metadata.annotations.github.com/project-slug"})
		if err != nil {
			b.Fatal(err)
		}
		reads := []struct {
			name string
			fn   func(s *view.Snapshot)
		}{
			{"by-ref", func(s *view.Snapshot) { _ = s.ByRef(ref) }},
			{"list-100-of-2-filters", func(s *view.Snapshot) { s.Select(component).Page(nil, 0, 100) }},
			{"list-100-of-most", func(s *view.Snapshot) { s.Select(kind).Page(nil, 0, 100) }},
			{"list-100-last-page", func(s *view.Snapshot) { s.Select(kind).Page(nil, n*6/10, 100) }},
			{"list-20-by-name", func(s *view.Snapshot) { s.Select(kind).Page([]view.Order{{Field: "metadata.name"}}, 0, 20) }},
			{"list-20-by-type-then-uid", func(s *view.Snapshot) { s.Select(kind).Page([]view.Order{{Field: "spec.type"}}, 0, 20) }},
			{"list-all-by-uid", func(s *view.Snapshot) { s.Select(nil).Page(view.ByUID, 0, 0) }},
			{"facet-kind", func(s *view.Snapshot) { s.Select(nil).Facet("kind") }},
			{"facet-tags-filtered", func(s *view.Snapshot) { s.Select(kind).Facet("metadata.tags") }},
			{"fields", func(s *view.Snapshot) { s.ByRef(ref).AppendJSON(nil, fields) }},
		}
		for _, r := range reads {
			b.Run(fmt.Sprintf("%s/%d", r.name, n), func(b *testing.B) {
				v.Read(r.fn)
				b.ReportAllocs()
				for b.Loop() {
					v.Read(r.fn)
				}
			})
		}
	}
}

func BenchmarkApplyOne(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := loaded(b, 1, org(n)...)
			ordered(b, v, []view.Order{{Field: "metadata.name"}}, "kind=none")
			puts := [][]storage.Entity{{orgEntity(5, n, "deprecated")}, {orgEntity(5, n, "production")}}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				v.Apply(context.Background(), view.Batch{Put: puts[i%2], Revision: int64(i)})
				i++
			}
		})
	}
}

// BenchmarkApplyNew creates and removes a component of a group that owns a
// hundred others, so that the group is rendered too.
func BenchmarkApplyNew(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := loaded(b, 1, org(n)...)
			ordered(b, v, nil)
			e := orgEntity(5, n, "production")
			b.ReportAllocs()
			for b.Loop() {
				v.Apply(context.Background(), view.Batch{Remove: []string{e.Ref}, Revision: 2})
				v.Apply(context.Background(), view.Batch{Put: []storage.Entity{e}, Revision: 3})
			}
		})
	}
}
