package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
	"picloud/views"
)

// showCollections lists the collections with how many keys each has.
func (s *Server) showCollections(v *visit) error {
	frame, err := v.frame("KV", "kv")
	if err != nil {
		return err
	}

	list := edge.ListName(v.app, "collections")
	after, err := s.OpenCursor(list, v.Query("cursor"))
	if err != nil {
		return err
	}

	collections, err := s.KV.Collections(v.UserContext(), v.app.ID(), after, pageSize+1)
	if err != nil {
		return err
	}

	collections, next := edge.Cut(s.Edge, list, collections, pageSize,
		func(c *kv.Collection) string { return c.Name })

	vm := views.KVPage{Page: frame, Next: v.next(next), MayEdit: v.may(auth.WriteKV)}
	for _, c := range collections {
		vm.Rows = append(vm.Rows, views.KVRow{Collection: c.Name, Keys: c.Keys})
	}
	return v.render(http.StatusOK, views.KV(vm))
}

// showEntries lists a collection in the byte order of its keys. The store signs these cursors itself.
func (s *Server) showEntries(v *visit) error {
	collection, err := edge.Unescape(v.Params("collection"))
	if err != nil {
		return err
	}

	frame, err := v.frame(collection, "kv")
	if err != nil {
		return err
	}

	if v.Query("done") == "deleted" {
		frame.Notice = "The entry is gone."
	}

	prefix := v.Query("prefix")
	if err := edge.CheckEntries(collection, prefix); err != nil {
		return err
	}

	items, next, err := s.KV.List(v.UserContext(), v.app.ID(), collection, prefix, v.Query("cursor"),
		pageSize)
	if err != nil {
		return err
	}

	vm := views.KVPage{
		Page:       frame,
		Collection: collection,
		Prefix:     prefix,
		Next:       v.next(next),
		MayEdit:    v.may(auth.WriteKV),
	}

	for k := range items {
		it := &items[k]
		vm.Rows = append(vm.Rows, views.KVRow{
			Collection: collection,
			Key:        it.Key,
			Value:      cloud.Shorten(it.Value),
			Version:    it.Version,
			ExpiresAt:  it.Expires,
			UpdatedAt:  it.UpdatedAt,
		})
	}

	return v.render(http.StatusOK, views.KV(vm))
}

// newEntry leads to the page of an entry, which may not exist yet.
func (s *Server) newEntry(v *visit) error {
	collection := v.Query("collection")
	key := v.Query("key")
	if err := kv.CheckCollection(collection); err != nil {
		return err
	}
	return v.to(entryPath(collection, key))
}

// entryPath is an entry's page. The key is in the query: it may have slashes.
func entryPath(collection, key string) string {
	return "/kv/" + collection + "/entry?key=" + url.QueryEscape(key)
}

// entryName is the entry that address or form names.
func (v *visit) entryName() (collection, key string, err error) {
	if collection, err = edge.Unescape(v.Params("collection")); err != nil {
		return "", "", err
	}

	if key = v.Query("key"); v.form != nil {
		key = v.form.Get("key")
	}
	if err = kv.CheckCollection(collection); err != nil {
		return "", "", err
	}
	return collection, key, kv.CheckKey(key)
}

func (s *Server) showEntryPage(v *visit) error { return s.entryPage(v, http.StatusOK, "") }

// entryPage is the form of an entry; after a refusal with what was typed.
func (s *Server) entryPage(v *visit, status int, problem string) error {
	collection, key, err := v.entryName()
	if err != nil {
		return err
	}

	frame, err := v.frame(key, "kv")
	if err != nil {
		return err
	}
	frame.Error = problem
	if v.Query("done") == "saved" {
		frame.Notice = "Saved."
	}

	vm := views.EntryPage{
		Page:       frame,
		Collection: collection,
		Key:        key,
		Value:      "{}",
		MayEdit:    v.may(auth.WriteKV),
		Triggers:   s.Orchestrator.Catalog.MatchingKV(v.app.ID(), collection),
	}

	// An entry that does not exist yet is an empty form for those who may write it.
	item, err := s.KV.Get(v.UserContext(), v.app.ID(), collection, key)
	switch {
	case err == nil:
		vm.Value = indented(json.RawMessage(item.Value))
		vm.Version = item.Version
		vm.ExpiresAt = item.Expires
		vm.UpdatedAt = item.UpdatedAt
	case !errors.Is(err, db.ErrNotFound):
		return err
	case !vm.MayEdit:
		return edge.ErrNoEntry
	}

	if v.form != nil && v.form.Has("value") { // as it was typed, against the version that was read
		vm.Value = v.form.Get("value")
		vm.TTL = v.form.Get("ttl_seconds")
		vm.Version, _ = strconv.ParseInt(v.form.Get("version"), 10, 64)
	}
	return v.render(status, views.Entry(vm))
}

// saveEntry writes with the commit of runs, over the version that the page showed.
func (s *Server) saveEntry(v *visit) error {
	collection, key, err := v.entryName()
	if err != nil {
		return err
	}

	set, err := entryForm(v, collection, key)
	if err == nil {
		err = s.Orchestrator.Operations.SetKV(v.UserContext(), v.app.ID(), set, v.p.Cloud())
	}

	if message, ok := refused(err); ok {
		if cloud.CodeOf(err) == cloud.CodePrecondition {
			message = "Somebody changed the entry meanwhile. Copy your text, reload, and merge the two."
		}
		return s.entryPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to(entryPath(collection, key) + "&done=saved")
}

// entryForm reads the form of an entry.
func entryForm(v *visit, collection, key string) (cloud.KVSet, error) {
	set := cloud.KVSet{Collection: collection, Key: key}
	var err error
	set.IfVersion, err = strconv.ParseInt(v.form.Get("version"), 10, 64)
	if err != nil || set.IfVersion < 0 {
		return set, cloud.Errorf(cloud.CodeInvalid, "version must be a number")
	}
	if set.Value, err = kv.Normalize(v.form.Get("value")); err != nil {
		return set, err
	}

	if ttl := strings.TrimSpace(v.form.Get("ttl_seconds")); ttl != "" {
		seconds, err := strconv.ParseInt(ttl, 10, 32)
		if err != nil || seconds < 1 {
			return set, cloud.Errorf(cloud.CodeInvalid, "the expiry must be from one second to ten years")
		}
		set.TTLMillis = seconds * 1000
	}
	return set, nil
}

// deleteEntry deletes what the page showed, and nothing newer.
func (s *Server) deleteEntry(v *visit) error {
	collection, key, err := v.entryName()
	if err != nil {
		return err
	}

	version, err := strconv.ParseInt(v.form.Get("version"), 10, 64)
	if err != nil || version < 0 {
		return cloud.Errorf(cloud.CodeInvalid, "version must be a number")
	}

	found, err := s.Orchestrator.Operations.DeleteKV(v.UserContext(), v.app.ID(),
		orchestrator.KVDelete{Collection: collection, Key: key, IfVersion: version}, v.p.Cloud())
	if err == nil && !found {
		err = edge.ErrNoEntry
	}
	if message, ok := refused(err); ok {
		return s.entryPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/kv/" + collection + "?done=deleted")
}
