package view_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/callboard/callboard/storage"
	"github.com/callboard/callboard/storage/entity"
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
		return fmt.Sprintf(`"metadata":{"name":%q,"namespace":"default","title":"The %s","description":"What %s does for those who need it, in a sentence or two as people write them. It is used by every team that takes orders, and by some that only look at them. Ask in the channel of its owners before you change what it promises, and read the pages about its data before you ask. It was begun as an experiment and has stayed, so parts of it are older than the rest.","labels":{"tier":"%d"},"annotations":{"backstage.io/managed-by-location":"url:%[5]scatalog-info.yaml","backstage.io/managed-by-origin-location":"url:%[5]scatalog-info.yaml","backstage.io/view-url":"%[5]scatalog-info.yaml","backstage.io/edit-url":"%[5]scatalog-info.yaml","backstage.io/source-location":"url:%[5]s","github.com/project-slug":"acme/repo-%05[6]d","backstage.io/techdocs-ref":"dir:.","sonarqube.org/project-key":"acme_repo-%05[6]d","pagerduty.com/service-id":"P%05[6]d","jira/project-key":"T%[7]d","argocd/app-name":"%[1]s-production","backstage.io/kubernetes-id":"%[1]s"},"tags":["go","team-%[7]d"],"links":[{"url":"https://grafana.acme.example/d/%[1]s","title":"Dashboard","icon":"dashboard"},{"url":"https://wiki.acme.example/teams/%[7]d","title":"Team"}]}`,
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

var sizes = []int{1_000, 10_000, 100_000}

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
		some := refs(b, v, "kind=component")
		ref := some[n/2]
		component, kind := filter(b, "kind=component,metadata.tags=team-7"), filter(b, "kind=component")
		systems := filter(b, "kind=group")
		fields, err := view.ParseFields([]string{"kind,metadata.name,metadata.annotations.github.com/project-slug"})
		if err != nil {
			b.Fatal(err)
		}
		name, kinds := view.Order{Field: "metadata.name"}, view.Order{Field: "kind"}
		var middle view.Position
		v.Read(func(s *view.Snapshot) { middle = s.Position(s.ByRef(ref), name) })
		window := func(f view.Filter, w view.Window) func(s *view.Snapshot) {
			w.Limit = 20
			return func(s *view.Snapshot) { s.Select(f).Window(w) }
		}
		text := func(field, term string) func(s *view.Snapshot) {
			return func(s *view.Snapshot) {
				s.Select(view.All{kind, view.Text{Term: term, Fields: []string{field}}}).Window(view.Window{By: name, Limit: 20})
			}
		}
		reads := []struct {
			name string
			fn   func(s *view.Snapshot)
		}{
			{"by-ref", func(s *view.Snapshot) { _ = s.ByRef(ref) }},
			{"by-refs-50-json", func(s *view.Snapshot) {
				chosen := s.Select(kind)
				var out []byte
				for _, ref := range some[n/4 : n/4+50] {
					if e := s.ByRef(ref); chosen.Contains(e) {
						out = e.AppendJSON(out[:0], nil)
					}
				}
			}},
			{"window-20", window(kind, view.Window{})},
			{"window-20-by-name", window(kind, view.Window{By: name})},
			{"window-20-by-name-after", window(kind, view.Window{By: name, After: &middle})},
			{"window-20-by-name-back", window(kind, view.Window{By: name, After: &middle, Back: true})},
			{"window-20-by-kind", window(kind, view.Window{By: kinds})},
			{"window-20-of-few", window(component, view.Window{By: name})},
			{"window-20-far-away", window(systems, view.Window{By: kinds, After: &view.Position{Value: new("group")}, Back: true})},
			{"page-100", func(s *view.Snapshot) { s.Select(kind).Page(nil, 0, 100) }},
			{"page-100-last", func(s *view.Snapshot) { s.Select(kind).Page(nil, n*6/10, 100) }},
			{"page-20-by-type-then-name", func(s *view.Snapshot) {
				s.Select(kind).Page([]view.Order{{Field: "spec.type"}, name}, 0, 20)
			}},
			{"page-all-by-uid", func(s *view.Snapshot) { s.Select(nil).Page(view.ByUID, 0, 0) }},
			{"facets-kind-type", func(s *view.Snapshot) {
				s.Select(nil).Facet("kind")
				s.Select(nil).Facet("spec.type")
			}},
			{"facets-kind-type-filtered", func(s *view.Snapshot) {
				s.Select(kind).Facet("kind")
				s.Select(kind).Facet("spec.type")
			}},
			{"facet-owner-filtered", func(s *view.Snapshot) { s.Select(kind).Facet("relations.ownedBy") }},
			{"facet-tags-filtered", func(s *view.Snapshot) { s.Select(kind).Facet("metadata.tags") }},
			{"text-few", text("metadata.name", "ng-00012")},
			{"text-all", text("metadata.name", "thing")},
			{"prefix", func(s *view.Snapshot) { s.Select(view.HasPrefix{Key: "metadata.name", Prefix: "thing-00012"}) }},
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

// keepOrders makes what changes must then keep: orders, texts.
func keepOrders(b *testing.B, v *view.View) {
	b.Helper()
	v.Read(func(s *view.Snapshot) {
		for _, field := range []string{"", "metadata.name", "kind", "spec.lifecycle", "relations.ownedby"} {
			s.Select(nil).Window(view.Window{By: view.Order{Field: field}, Limit: 1})
			s.Select(view.Text{Term: "x", Fields: []string{field}})
		}
	})
}

func BenchmarkApplyOne(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := loaded(b, 1, org(n)...)
			keepOrders(b, v)
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
			keepOrders(b, v)
			createAndRemove(b, v, orgEntity(5, n, "production"))
		})
	}
}

// BenchmarkApplyHubEdge does so with a group that owns a fifth of the catalog.
func BenchmarkApplyHubEdge(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rows := org(n)
			for i := range n / 5 {
				rows[i].Relations = append(rows[i].Relations,
					entity.Relation{Source: "group:default/thing-000000", Type: "ownerOf", Target: rows[i].Ref},
					entity.Relation{Source: rows[i].Ref, Type: "ownedBy", Target: "group:default/thing-000000"})
			}
			v := loaded(b, 1, rows...)
			keepOrders(b, v)
			createAndRemove(b, v, component("new", "new", "", "component:default/new ownedBy group:default/thing-000000", "group:default/thing-000000 ownerOf component:default/new"))
		})
	}
}

func createAndRemove(b *testing.B, v *view.View, e storage.Entity) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		v.Apply(context.Background(), view.Batch{Put: []storage.Entity{e}, Revision: 3})
		v.Apply(context.Background(), view.Batch{Remove: []string{e.Ref}, Revision: 2})
	}
}

func filter(b *testing.B, param string) view.Filter {
	b.Helper()
	f, err := view.ParseFilter([]string{param})
	if err != nil {
		b.Fatal(err)
	}
	return f
}
