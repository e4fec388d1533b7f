package handlers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
	"picloud/views"
)

func (s *Server) showCollections(v *visit) error {
	frame, err := v.frame("KV", "kv")
	if err != nil {
		return err
	}
	list, err := s.listCollections(v.UserContext(), v.app, &listScripts{PageQuery: *v.pageQuery()})
	if err != nil {
		return err
	}
	vm := views.KVPage{Page: frame, Next: v.next(list.Body.NextCursor), MayEdit: v.may(auth.WriteKV)}
	for _, c := range list.Body.Items {
		vm.Rows = append(vm.Rows, views.KVRow{Collection: c.Collection, Keys: c.Keys})
	}
	return v.render(http.StatusOK, views.KV(vm))
}

func (s *Server) showEntries(v *visit) error {
	collection, err := unescape(v.Params("collection"))
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
	in := &listEntries{PageQuery: *v.pageQuery(), Prefix: v.Query("prefix")}
	in.Collection = v.Params("collection")
	list, err := s.listEntries(v.UserContext(), v.app, in)
	if err != nil {
		return err
	}
	vm := views.KVPage{Page: frame, Collection: collection, Prefix: in.Prefix, Next: v.next(list.Body.NextCursor), MayEdit: v.may(auth.WriteKV)}
	for _, e := range list.Body.Items {
		vm.Rows = append(vm.Rows, views.KVRow{Collection: e.Collection, Key: e.Key, Value: cloud.Shorten(string(e.Value)), Version: e.Version,
			ExpiresAt: e.ExpiresAt, UpdatedAt: e.UpdatedAt})
	}
	return v.render(http.StatusOK, views.KV(vm))
}

// newEntry leads to the page of an entry, which may not exist yet.
func (s *Server) newEntry(v *visit) error {
	collection, key := v.Query("collection"), v.Query("key")
	if err := kv.CheckCollection(collection); err != nil {
		return err
	}
	return v.to(entryPath(collection, key))
}

func entryPath(collection, key string) string {
	return "/kv/" + collection + "/entry?key=" + url.QueryEscape(key)
}

// entryName is the entry that address or form names.
func (v *visit) entryName() (collection, key string, err error) {
	if collection, err = unescape(v.Params("collection")); err != nil {
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
	vm := views.EntryPage{Page: frame, Collection: collection, Key: key, Value: "{}", MayEdit: v.may(auth.WriteKV),
		Triggers: s.cfg.Orchestrator.Catalog.MatchingKV(v.app.id(), collection)}
	e, err := s.entry(v.UserContext(), v.app, collection, key)
	switch {
	case err == nil:
		vm.Value, vm.Version, vm.ExpiresAt, vm.UpdatedAt = indented(e.Body.Value), e.Body.Version, e.Body.ExpiresAt, e.Body.UpdatedAt
	case cloud.CodeOf(err) != cloud.CodeNotFound:
		return err
	case !vm.MayEdit:
		return err
	}
	if v.form != nil && v.form.Has("value") { // as it was typed, against the version that was read
		vm.Value, vm.TTL = v.form.Get("value"), v.form.Get("ttl_seconds")
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
		err = s.cfg.Orchestrator.Operations.SetKV(v.UserContext(), v.app.id(), set, v.p.Cloud())
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

func entryForm(v *visit, collection, key string) (orchestrator.KVSet, error) {
	set := orchestrator.KVSet{Collection: collection, Key: key}
	var err error
	if set.IfVersion, err = strconv.ParseInt(v.form.Get("version"), 10, 64); err != nil || set.IfVersion < 0 {
		return set, cloud.Errorf(cloud.CodeInvalid, "version must be a number")
	}
	value := json.RawMessage(v.form.Get("value"))
	if set.Value, err = kv.Normalize(string(value)); err != nil {
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
	found, err := s.cfg.Orchestrator.Operations.DeleteKV(v.UserContext(), v.app.id(),
		orchestrator.KVDelete{Collection: collection, Key: key, IfVersion: version}, v.p.Cloud())
	if err == nil && !found {
		err = errNoEntry
	}
	if message, ok := refused(err); ok {
		return s.entryPage(v, http.StatusUnprocessableEntity, message)
	}
	if err != nil {
		return err
	}
	return v.to("/kv/" + collection + "?done=deleted")
}
