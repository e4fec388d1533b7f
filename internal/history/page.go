package history

const (
	// MaxListBytes bounds the texts of a page, which ends before the row that would take it above, whatever
	// its limit. It has at least one row.
	MaxListBytes = 4 << 20
	// rowBytes is what a row takes besides its long texts, as JSON.
	rowBytes = 512
)

// cutPage gives the rows of a page, of at most limit rows and MaxListBytes, and whether others follow. rows
// has one more than limit if there are so many, and ends with the row that goes beyond MaxListBytes, as the
// statements of lists do. size is a row's long texts in bytes, as its statement measures them.
func cutPage[R any](rows []R, limit int, size func(*R) int) (page []R, more bool) {
	bytes := 0
	for k := range rows {
		bytes += size(&rows[k]) + rowBytes
		if k == limit || k > 0 && bytes > MaxListBytes {
			return rows[:k], true
		}
	}
	return rows, false
}
