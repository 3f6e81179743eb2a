package scan

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/callboard/callboard/storage"
)

// seen is the set of repository ids that a scan was shown.
func seen(s storage.Scan) (*roaring64.Bitmap, error) {
	ids := roaring64.New()
	if len(s.SeenIDs) == 0 {
		return ids, nil
	}
	if err := ids.UnmarshalBinary(s.SeenIDs); err != nil {
		return nil, fmt.Errorf("read what scan %s has seen: %w", s.ID, err)
	}
	return ids, nil
}

// see adds ids to what a scan was shown.
func see(s *storage.Scan, ids *roaring64.Bitmap) error {
	b, err := ids.ToBytes()
	if err != nil {
		return fmt.Errorf("write what scan %s has seen: %w", s.ID, err)
	}
	s.SeenIDs, s.Seen = b, int(ids.GetCardinality())
	return nil
}
