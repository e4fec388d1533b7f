package api

// PageQuery is what lists take.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"items of a page, which also ends at 4 MiB; next_cursor goes on"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before"`
}

// listInput is the input of a list in an app that nothing filters.
type listInput struct {
	AppPath
	PageQuery
}

// page is a list's answer.
type page[T any] struct {
	Body struct {
		Items      []T     `json:"items"`
		NextCursor *string `json:"next_cursor" doc:"null on the last page"`
	}
}

// listBytes is what a list of names takes of a page, with quotes and commas.
func listBytes(names []string) int {
	bytes := 0
	for _, name := range names {
		bytes += len(name) + len(`"",`)
	}
	return bytes
}

// pageOf makes a list's answer of its rows; next is the cursor of the next page, "" on the last.
func pageOf[R, T any](rows []R, next string, show func(*R) T) *page[T] {
	out := &page[T]{}

	out.Body.Items = make([]T, len(rows))
	for k := range rows {
		out.Body.Items[k] = show(&rows[k])
	}
	out.Body.NextCursor = nonEmpty(next)
	return out
}
