package row

import "github.com/callboard/callboard/storage"

// ScanColumns are those of a listing; what was seen is the column "seen_ids".
const ScanColumns = `id, kind, host, owner, installation_id, cause, state, list_cursor, page_size, pages, total, seen,
	changed, missing, failed, removing, released, requests, retries, started_at, updated_at, finished_at, error, approved_by`

// Scan gives the values of ScanColumns and what was seen.
func Scan(s storage.Scan) []any {
	seen := s.SeenIDs
	if seen == nil {
		seen = []byte{}
	}
	return []any{
		s.ID, string(s.Kind), s.Host, s.Owner, s.InstallationID, Cause(s.Cause), string(s.State), s.Cursor, s.PageSize,
		s.Pages, s.Total, s.Seen, s.Changed, s.Missing, s.Failed, s.Removing, s.Released, s.Requests, s.Retries, Micros(s.StartedAt),
		Micros(s.UpdatedAt), Micros(s.FinishedAt), s.Error, s.ApprovedBy, seen,
	}
}

func scanTargets(s *storage.Scan) []any {
	return []any{
		&s.ID, &s.Kind, &s.Host, &s.Owner, &s.InstallationID, jsonColumn{&s.Cause}, &s.State, &s.Cursor, &s.PageSize,
		&s.Pages, &s.Total, &s.Seen, &s.Changed, &s.Missing, &s.Failed, &s.Removing, &s.Released, &s.Requests, &s.Retries,
		timeColumn{&s.StartedAt}, timeColumn{&s.UpdatedAt}, timeColumn{&s.FinishedAt}, &s.Error, &s.ApprovedBy,
	}
}

// ScanScan reads ScanColumns.
func ScanScan(s Scanner) (scan storage.Scan, err error) {
	return scan, s.Scan(scanTargets(&scan)...)
}

// ScanFullScan reads ScanColumns and what was seen.
func ScanFullScan(s Scanner) (scan storage.Scan, err error) {
	err = s.Scan(append(scanTargets(&scan), &scan.SeenIDs)...)
	if len(scan.SeenIDs) == 0 {
		scan.SeenIDs = nil
	}
	return scan, err
}

// HoldColumns are all columns of a hold, its key first.
const HoldColumns = `repository_id, scan_id, repository, entities, refs, payload, at`

// Hold gives the values of HoldColumns.
func Hold(h storage.Hold) []any {
	return []any{h.RepositoryID, h.ScanID, h.Repository, h.Entities, list(h.Refs), string(h.Payload), Micros(h.At)}
}

// ScanHold reads HoldColumns.
func ScanHold(s Scanner) (h storage.Hold, err error) {
	return h, s.Scan(&h.RepositoryID, &h.ScanID, &h.Repository, &h.Entities, jsonColumn{&h.Refs}, rawColumn{&h.Payload},
		timeColumn{&h.At})
}
