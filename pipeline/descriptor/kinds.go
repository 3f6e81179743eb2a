package descriptor

import (
	"regexp"
	"slices"

	"github.com/callboard/callboard/storage/entity"
)

// kind is what the catalog knows of one kind: the versions it is written in,
// the shape of its spec, and the fields that are relations (contract catalog
// 1.6 and 2.1). A new kind is one more entry.
type kind struct {
	name     string
	versions []string
	// processor is the part of Backstage that checks it, named in its errors.
	processor string
	spec      *schema
	relations []relationField
}

// relationField says which two relations a field of spec declares.
type relationField struct {
	field       string
	forward     string // on the declaring entity
	backward    string // on the target
	defaultKind string // "" makes the kind mandatory
}

const (
	builtinProcessor    = "BuiltinKindsEntityProcessor"
	scaffolderProcessor = "ScaffolderEntitiesProcessor"
)

var (
	coreVersions = []string{"backstage.io/v1alpha1", "backstage.io/v1beta1"}

	word     = &schema{types: []string{"string"}, nonEmpty: true}
	text     = &schema{types: []string{"string"}}
	words    = &schema{types: []string{"array"}, items: word}
	texts    = &schema{types: []string{"array"}, items: text}
	anObject = &schema{types: []string{"object"}}
	ifClause = &schema{types: []string{"string", "boolean"}}
	profile  = fields(nil, prop{"displayName", word}, prop{"email", word}, prop{"picture", word})
)

// fields is an object with some properties described and others free.
func fields(required []string, props ...prop) *schema {
	return &schema{types: []string{"object"}, required: required, props: props}
}

func listOf(item *schema) *schema { return &schema{types: []string{"array"}, items: item} }

// The envelope is what a document needs to be an entity at all, rootSchema and
// metaSchema what an entity has to keep to (contract catalog 1.1 steps 1 and 3).
var (
	envelopeSchema = fields([]string{"apiVersion", "kind", "metadata"},
		prop{"apiVersion", word}, prop{"kind", word},
		prop{"metadata", fields([]string{"name"}, prop{"name", word}, prop{"namespace", word})})

	metaSchema = fields([]string{"name"},
		prop{"uid", word}, prop{"etag", word}, prop{"name", word}, prop{"namespace", word},
		prop{"title", word}, prop{"description", text},
		prop{"labels", &schema{types: []string{"object"}, every: text}},
		prop{"annotations", &schema{types: []string{"object"}, every: text}},
		prop{"tags", words},
		prop{"links", listOf(fields([]string{"url"},
			prop{"url", word}, prop{"title", word}, prop{"icon", word}, prop{"type", word}))})

	rootSchema = &schema{
		types: []string{"object"}, required: []string{"apiVersion", "kind", "metadata"}, closed: true,
		props: []prop{
			{"apiVersion", word},
			{"kind", word},
			{"metadata", metaSchema},
			{"spec", anObject},
			{"relations", listOf(relationSchema)},
			{"status", fields(nil, prop{"items", listOf(statusSchema)})},
		},
	}

	relationSchema = &schema{
		types: []string{"object"}, required: []string{"type", "targetRef"}, closed: true,
		props: []prop{
			{"type", &schema{types: []string{"string"}, nonEmpty: true, pattern: regexp.MustCompile(`^\w+$`)}},
			{"target", &schema{
				types: []string{"object"}, required: []string{"kind", "namespace", "name"}, closed: true,
				props: []prop{{"kind", word}, {"namespace", word}, {"name", word}},
			}},
			{"targetRef", word},
		},
	}

	statusSchema = fields([]string{"type", "level", "message"},
		prop{"type", word},
		prop{"level", &schema{types: []string{"string"}, enum: []string{"info", "warning", "error"}}},
		prop{"message", text},
		prop{"error", fields([]string{"name", "message"},
			prop{"name", word}, prop{"message", text}, prop{"code", text}, prop{"stack", text})})
)

var (
	ownedBy   = relationField{"owner", "ownedBy", "ownerOf", entity.KindGroup}
	ofSystem  = relationField{"system", "partOf", "hasPart", entity.KindSystem}
	dependsOn = relationField{"dependsOn", "dependsOn", "dependencyOf", ""}
	neededBy  = relationField{"dependencyOf", "dependencyOf", "dependsOn", ""}
)

var kinds = []kind{
	{
		name: entity.KindComponent, versions: coreVersions, processor: builtinProcessor,
		spec: fields([]string{"type", "lifecycle", "owner"},
			prop{"type", word}, prop{"lifecycle", word}, prop{"owner", word}, prop{"system", word},
			prop{"subcomponentOf", word}, prop{"providesApis", words}, prop{"consumesApis", words}, prop{"dependsOn", words}),
		relations: []relationField{
			ownedBy,
			{"subcomponentOf", "partOf", "hasPart", entity.KindComponent},
			{"providesApis", "providesApi", "apiProvidedBy", entity.KindAPI},
			{"consumesApis", "consumesApi", "apiConsumedBy", entity.KindAPI},
			dependsOn, neededBy, ofSystem,
		},
	},
	{
		name: entity.KindAPI, versions: coreVersions, processor: builtinProcessor,
		spec: fields([]string{"type", "lifecycle", "owner", "definition"},
			prop{"type", word}, prop{"lifecycle", word}, prop{"owner", word}, prop{"system", word}, prop{"definition", word}),
		relations: []relationField{ownedBy, ofSystem},
	},
	{
		name: entity.KindResource, versions: coreVersions, processor: builtinProcessor,
		spec: fields([]string{"type", "owner"},
			prop{"type", word}, prop{"owner", word}, prop{"dependsOn", words}, prop{"system", word}),
		relations: []relationField{ownedBy, dependsOn, neededBy, ofSystem},
	},
	{
		name: entity.KindGroup, versions: coreVersions, processor: builtinProcessor,
		spec: fields([]string{"type", "children"},
			prop{"type", word}, prop{"profile", profile}, prop{"parent", word}, prop{"children", words}, prop{"members", words}),
		relations: []relationField{
			{"parent", "childOf", "parentOf", entity.KindGroup},
			{"children", "parentOf", "childOf", entity.KindGroup},
			{"members", "hasMember", "memberOf", entity.KindUser},
		},
	},
	{
		name: entity.KindLocation, versions: coreVersions, processor: builtinProcessor,
		spec: fields(nil,
			prop{"type", word}, prop{"target", word}, prop{"targets", words},
			prop{"presence", &schema{types: []string{"string"}, enum: []string{"required", "optional"}}}),
	},
	{
		name: entity.KindUser, versions: coreVersions, processor: builtinProcessor,
		spec:      fields([]string{"memberOf"}, prop{"profile", profile}, prop{"memberOf", words}),
		relations: []relationField{{"memberOf", "memberOf", "hasMember", entity.KindGroup}},
	},
	{
		name: entity.KindSystem, versions: coreVersions, processor: builtinProcessor,
		spec:      fields([]string{"owner"}, prop{"owner", word}, prop{"domain", word}, prop{"type", word}),
		relations: []relationField{ownedBy, {"domain", "partOf", "hasPart", entity.KindDomain}},
	},
	{
		name: entity.KindDomain, versions: coreVersions, processor: builtinProcessor,
		spec:      fields([]string{"owner"}, prop{"owner", word}, prop{"subdomainOf", word}, prop{"type", word}),
		relations: []relationField{ownedBy, {"subdomainOf", "partOf", "hasPart", entity.KindDomain}},
	},
	{
		name: entity.KindTemplate, versions: []string{"scaffolder.backstage.io/v1beta3"}, processor: scaffolderProcessor,
		spec: templateSpec, relations: []relationField{ownedBy},
	},
}

var (
	permissions = prop{"backstage:permissions", fields(nil, prop{"tags", texts})}
	parameters  = fields(nil, permissions)
	decorators  = listOf(fields(nil, prop{"id", text}, prop{"input", anObject}))

	templateSpec = fields([]string{"type", "steps"},
		prop{"type", word}, prop{"owner", word}, prop{"lifecycle", word},
		prop{"parameters", &schema{oneOf: []*schema{parameters, listOf(parameters)}}},
		prop{"secrets", fields(nil, prop{"schema", anObject})},
		prop{"presentation", fields(nil, prop{"buttonLabels", fields(nil,
			prop{"backButtonText", text}, prop{"createButtonText", text}, prop{"reviewButtonText", text})})},
		prop{"EXPERIMENTAL_recovery", fields(nil, prop{"EXPERIMENTAL_strategy", text})},
		prop{"formDecorators", decorators},
		prop{"EXPERIMENTAL_formDecorators", decorators},
		prop{"steps", listOf(fields([]string{"action"},
			prop{"id", text}, prop{"name", text}, prop{"action", text}, prop{"input", anObject}, prop{"if", ifClause}, permissions))},
		prop{"output", &schema{
			types: []string{"object"}, additional: text,
			props: []prop{
				{"links", listOf(fields(nil, prop{"if", ifClause},
					prop{"url", word}, prop{"entityRef", word}, prop{"title", word}, prop{"icon", word}))},
				{"text", listOf(fields(nil, prop{"if", ifClause},
					prop{"title", word}, prop{"icon", word}, prop{"content", text}))},
			},
		}})
)

// findKind finds a kind by its exact name and version: both are case-sensitive.
func findKind(name, version string) *kind {
	for i := range kinds {
		if kinds[i].name != name {
			continue
		}
		if slices.Contains(kinds[i].versions, version) {
			return &kinds[i]
		}
	}
	return nil
}
