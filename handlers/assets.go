package handlers

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"picloud/internal/cloud"
	"picloud/static"
	"picloud/views"
)

// asset is an embedded file as it is sent.
type asset struct {
	contentType string
	// plain is the file, gzip the file compressed.
	plain, gzip []byte
	// hash is the beginning of the file's SHA-256 in hex: a new content has a new address.
	hash string
}

// loadAssets reads, hashes and compresses the embedded files, once.
var loadAssets = sync.OnceValue(func() map[string]*asset {
	types := map[string]string{
		".css": "text/css; charset=utf-8",
		".js":  "text/javascript; charset=utf-8",
		".ts":  "text/plain; charset=utf-8",
	}
	entries, err := fs.ReadDir(static.FS, ".")
	if err != nil {
		panic(err) // embedded
	}

	all := map[string]*asset{}

	for _, entry := range entries {
		body, err := fs.ReadFile(static.FS, entry.Name())
		if err != nil {
			panic(err) // embedded
		}
		sum := sha256.Sum256(body)
		all[entry.Name()] = &asset{
			contentType: types[path.Ext(entry.Name())],
			plain:       body,
			gzip:        compress(body),
			hash:        hex.EncodeToString(sum[:6]),
		}
	}

	return all
})

func compress(body []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}

// assets are the addresses of the files, each with a hash of its content, so that browsers may keep them for
// ever.
func assets() views.Assets {
	at := func(name string) string { return "/static/" + name + "?v=" + loadAssets()[name].hash }
	return views.Assets{
		CSS:    at("app.css"),
		HTMX:   at("htmx.min.js"),
		App:    at("app.js"),
		Editor: at("editor.js"),
		Types:  at("picloud.d.ts"),
	}
}

// staticFile serves an embedded asset.
func staticFile(c *fiber.Ctx) error {
	file := loadAssets()[c.Params("file")]
	if file == nil {
		return cloud.Errorf(cloud.CodeNotFound, "no such file")
	}

	c.Set("Content-Type", file.contentType)
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("Vary", "Accept-Encoding")
	c.Set("Cache-Control", "public, max-age=300")
	if c.Query("v") == file.hash {
		c.Set("Cache-Control", "public, max-age=31536000, immutable")
	}

	if strings.Contains(c.Get("Accept-Encoding"), "gzip") {
		c.Set("Content-Encoding", "gzip")
		return c.Send(file.gzip)
	}
	return c.Send(file.plain)
}
