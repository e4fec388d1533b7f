package kv

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"picloud/internal/cloud"
)

var errCursor = cloud.Errorf(cloud.CodeInvalid, "the cursor does not belong to this list")

func (s *Store) mac(app cloud.AppID, collection, prefix, key string) []byte {
	h := hmac.New(sha256.New, s.cfg.CursorKey)
	fmt.Fprintf(h, "kv\x00%d\x00%s\x00%s\x00%s", app, collection, prefix, key)
	return h.Sum(nil)[:12]
}

func (s *Store) sealCursor(app cloud.AppID, collection, prefix, key string) string {
	return base64.RawURLEncoding.EncodeToString(append(s.mac(app, collection, prefix, key), key...))
}

func (s *Store) openCursor(app cloud.AppID, collection, prefix, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 12 {
		return "", errCursor
	}
	key := string(raw[12:])
	if !hmac.Equal(raw[:12], s.mac(app, collection, prefix, key)) {
		return "", errCursor
	}
	return key, nil
}
