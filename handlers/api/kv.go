package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"picloud/db"
	"picloud/handlers/edge"
	"picloud/internal/auth"
	"picloud/internal/cloud"
	"picloud/internal/orchestrator"
	"picloud/internal/services/kv"
)

// collectionItem is a collection, which is there as long as it has keys.
type collectionItem struct {
	Collection string `json:"collection"`
	Keys       int64  `json:"keys" doc:"counted up to 10001"`
}

type entryItem struct {
	Collection string          `json:"collection"`
	Key        string          `json:"key"`
	Value      json.RawMessage `json:"value"`
	Version    int64           `json:"version"`
	ExpiresAt  *time.Time      `json:"expires_at"`
	UpdatedAt  time.Time       `json:"updated_at"`
}

type entryOutput struct {
	Status int
	Body   entryItem
}

// CollectionPath is the input of an operation on a collection.
type CollectionPath struct {
	AppPath
	Collection string `path:"collection"`
}

type listEntries struct {
	CollectionPath
	PageQuery
	Prefix string `query:"prefix"`
}

// EntryPath is the input of an operation on one entry.
type EntryPath struct {
	CollectionPath
	Key string `path:"key"`
}

// entryBody is a write: value is any JSON.
type entryBody struct {
	Value      json.RawMessage `json:"value"`
	TTLSeconds *float64        `json:"ttl_seconds,omitempty"`
	IfVersion  *int64          `json:"if_version,omitempty"`
}

type putEntry struct {
	EntryPath
	RawBody []byte
}

type deleteEntry struct {
	EntryPath
	IfVersion int64 `query:"if_version" default:"-1" minimum:"-1" doc:"the version that the entry must have; -1 for any. Another is a 412"`
}

func (s *Server) kvAPI() {
	const path = "/apps/{app}/kv"
	appOp(s, operation("list-collections", http.MethodGet, path, "Collections", "kv"),
		auth.ReadKV, s.listCollections)
	appOp(s,
		operation("list-entries", http.MethodGet, path+"/{collection}",
			"Entries in byte order of their keys", "kv"),
		auth.ReadKV, s.listEntries)
	appOp(s, operation("show-entry", http.MethodGet, path+"/{collection}/{key}", "An entry", "kv"),
		auth.ReadKV, s.showEntry)

	put := rawBody[entryBody](s, operation("put-entry", http.MethodPut, path+"/{collection}/{key}",
		"Write an entry; events fire as for any write", "kv"))
	appOp(s, put, auth.WriteKV, s.putEntry)
	appOp(s,
		operation("delete-entry", http.MethodDelete, path+"/{collection}/{key}",
			"Delete an entry; events fire as for any write", "kv"),
		auth.WriteKV, s.deleteEntry)
}

func (s *Server) showEntry(ctx context.Context, c *edge.AppCaller, in *EntryPath) (*entryOutput, error) {
	collection, key, err := in.decode()
	if err != nil {
		return nil, err
	}
	return s.entry(ctx, c, collection, key)
}

// deleteEntry deletes with the commit of runs; whether the entry was there is known after it.
func (s *Server) deleteEntry(ctx context.Context, c *edge.AppCaller, in *deleteEntry) (*none, error) {
	collection, key, err := in.decode()
	if err != nil {
		return nil, err
	}

	found, err := s.Orchestrator.Operations.DeleteKV(
		ctx,
		c.ID(),
		orchestrator.KVDelete{
			Collection: collection,
			Key:        key,
			IfVersion:  in.IfVersion,
		},
		c.Cloud(),
	)
	if err == nil && !found {
		return nil, edge.ErrNoEntry
	}
	return nil, err
}

// decode undoes the percent-encoding of the path and checks what it names.
func (p *EntryPath) decode() (collection, key string, err error) {
	if collection, err = edge.Unescape(p.Collection); err != nil {
		return "", "", err
	}
	if key, err = edge.Unescape(p.Key); err != nil {
		return "", "", err
	}
	if err = kv.CheckCollection(collection); err != nil {
		return "", "", err
	}
	return collection, key, kv.CheckKey(key)
}

// entry reads an entry.
func (s *Server) entry(ctx context.Context, c *edge.AppCaller, collection, key string) (*entryOutput, error) {
	it, err := s.KV.Get(ctx, c.ID(), collection, key)
	if errors.Is(err, db.ErrNotFound) {
		return nil, edge.ErrNoEntry
	}
	if err != nil {
		return nil, err
	}
	return &entryOutput{Status: http.StatusOK, Body: showEntry(collection, &it)}, nil
}

func showEntry(collection string, it *kv.Item) entryItem {
	return entryItem{
		Collection: collection,
		Key:        it.Key,
		Value:      json.RawMessage(it.Value),
		Version:    it.Version,
		ExpiresAt:  utcPtr(it.Expires),
		UpdatedAt:  utc(it.UpdatedAt),
	}
}

// listCollections lists collections by name.
func (s *Server) listCollections(
	ctx context.Context, c *edge.AppCaller, in *listInput,
) (*page[collectionItem], error) {
	list := edge.ListName(c, "collections")
	after, err := s.OpenCursor(list, in.Cursor)
	if err != nil {
		return nil, err
	}

	rows, err := s.KV.Collections(ctx, c.ID(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}

	rows, next := edge.Cut(s.Edge, list, rows, in.Limit, func(r *kv.Collection) string { return r.Name })
	return pageOf(rows, next, func(r *kv.Collection) collectionItem {
		return collectionItem{r.Name, r.Keys}
	}), nil
}

// listEntries lists a collection in the byte order of its keys. The store signs these cursors itself.
func (s *Server) listEntries(
	ctx context.Context, c *edge.AppCaller, in *listEntries,
) (*page[entryItem], error) {
	collection, err := edge.Unescape(in.Collection)
	if err != nil {
		return nil, err
	}

	if err := edge.CheckEntries(collection, in.Prefix); err != nil {
		return nil, err
	}

	items, next, err := s.KV.List(ctx, c.ID(), collection, in.Prefix, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}

	return pageOf(items, next, func(it *kv.Item) entryItem { return showEntry(collection, it) }), nil
}

// putEntry writes with the commit of runs, so that events fire as for any write.
func (s *Server) putEntry(ctx context.Context, c *edge.AppCaller, in *putEntry) (*entryOutput, error) {
	collection, key, err := in.decode()
	if err != nil {
		return nil, err
	}

	var b entryBody
	if err := decodeBody(in.RawBody, &b); err != nil {
		return nil, err
	}
	if b.Value == nil {
		return nil, cloud.Errorf(cloud.CodeInvalid, "the field value is missing")
	}

	set := cloud.KVSet{Collection: collection, Key: key, IfVersion: cloud.AnyVersion}
	if set.Value, err = kv.Normalize(string(b.Value)); err != nil {
		return nil, err
	}

	if b.TTLSeconds != nil {
		if set.TTLMillis = int64(*b.TTLSeconds * 1000); set.TTLMillis < 1000 {
			return nil, cloud.Errorf(cloud.CodeInvalid, "ttl_seconds must be from 1 to ten years")
		}
	}
	if b.IfVersion != nil {
		if set.IfVersion = *b.IfVersion; set.IfVersion < 0 {
			return nil, cloud.Errorf(cloud.CodeInvalid, "if_version must be 0 or a version")
		}
	}

	if err := s.Orchestrator.Operations.SetKV(ctx, c.ID(), set, c.Cloud()); err != nil {
		return nil, err
	}
	return s.entry(ctx, c, collection, key)
}
