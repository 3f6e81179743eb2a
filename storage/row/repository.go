package row

import "github.com/callboard/callboard/storage"

// RepositoryColumns are all columns of a repository, the version last.
const RepositoryColumns = `id, host, owner, name, default_branch, html_url, visibility, archived, fork, topics,
	installation_id, discovered, state, applied_sha, applied_at, settings_hash, head_sha, head_at,
	error, error_at, verified_at, former, version`

// Repository gives the values of RepositoryColumns with the next version.
func Repository(r storage.Repository) []any {
	return []any{
		r.ID, r.Host, r.Owner, r.Name, r.DefaultBranch, r.HTMLURL, r.Visibility, r.Archived, r.Fork, list(r.Topics),
		r.InstallationID, r.Discovered, string(r.State), r.AppliedSHA, Micros(r.AppliedAt), r.SettingsHash,
		r.HeadSHA, Micros(r.HeadAt), r.Error, Micros(r.ErrorAt), Micros(r.VerifiedAt), list(r.Former), r.Version + 1,
	}
}

// ScanRepository reads RepositoryColumns.
func ScanRepository(s Scanner) (r storage.Repository, err error) {
	return r, s.Scan(&r.ID, &r.Host, &r.Owner, &r.Name, &r.DefaultBranch, &r.HTMLURL, &r.Visibility, &r.Archived,
		&r.Fork, jsonColumn{&r.Topics}, &r.InstallationID, &r.Discovered, &r.State, &r.AppliedSHA,
		timeColumn{&r.AppliedAt}, &r.SettingsHash, &r.HeadSHA, timeColumn{&r.HeadAt}, &r.Error,
		timeColumn{&r.ErrorAt}, timeColumn{&r.VerifiedAt}, jsonColumn{&r.Former}, &r.Version)
}

// FileColumns are all columns of a file.
const FileColumns = `repository_id, path, blob_sha, role, parent, origin, inputs, targets, external, status,
	diagnostics, documents, roots, errors`

// File gives the values of FileColumns.
func File(f storage.File) []any {
	return []any{
		f.RepositoryID, f.Path, f.BlobSHA, string(f.Role), f.Parent, f.Origin, mapping(f.Inputs), list(f.Targets),
		list(f.External), string(f.Status), list(f.Diagnostics), f.Documents,
		list(f.Roots), list(f.Errors),
	}
}

// FileKey is what a file is replaced by.
func FileKey(f storage.File) [2]any { return [2]any{f.RepositoryID, Text(f.Path)} }

// ScanFile reads FileColumns.
func ScanFile(s Scanner) (f storage.File, err error) {
	return f, s.Scan(&f.RepositoryID, &f.Path, &f.BlobSHA, &f.Role, &f.Parent, &f.Origin, jsonColumn{&f.Inputs},
		jsonColumn{&f.Targets}, jsonColumn{&f.External}, &f.Status, jsonColumn{&f.Diagnostics}, &f.Documents, jsonColumn{&f.Roots}, jsonColumn{&f.Errors})
}

// LocationColumns are all columns of a location.
const LocationColumns = `id, type, target, source, host, owner, repo, git_ref, path, origin, name`

// Location gives the values of LocationColumns.
func Location(l storage.Location) []any {
	return []any{l.ID, l.Type, l.Target, l.Source, l.Host, l.Owner, l.Repo, l.GitRef, l.Path, l.Origin, l.Name}
}

// ScanLocation reads LocationColumns.
func ScanLocation(s Scanner) (l storage.Location, err error) {
	return l, s.Scan(&l.ID, &l.Type, &l.Target, &l.Source, &l.Host, &l.Owner, &l.Repo, &l.GitRef, &l.Path, &l.Origin, &l.Name)
}

// LocationKey is what a source names a location by.
func LocationKey(l storage.Location) [2]string { return [2]string{l.Type, l.Target} }
