package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"time"

	"picloud/db"
	"picloud/internal/services/secrets"
)

// RotateKeyCmd seals every variable and secret under a new master key.
type RotateKeyCmd struct {
	Config
	NewSecretKey string `env:"PICLOUD_NEW_SECRET_KEY" help:"The new master key, 32 bytes in base64. Without it one is made in the data directory." secret:"true"`
}

// Run works while every node of PiCloud is stopped. With a key file, the new one lies beside it before the
// database changes, and takes its place right after: a crash in between leaves secret.key.new, and the start
// says which key is needed.
func (c *RotateKeyCmd) Run() error { return c.withNode((*node).attachAlone, c.rotate) }

func (c *RotateKeyCmd) rotate(ctx context.Context, n *node) error {
	n.buildManager()
	next, inFile, err := c.nextKey()
	if err != nil {
		return err
	}
	if err := requireStopped(ctx, n); err != nil {
		return err
	}

	box, err := secrets.NewBox(next)
	if err != nil {
		return err
	}

	file := c.keyFile()
	count, err := n.manager.Reseal(ctx, box, func() error {
		if !inFile {
			return nil
		}
		return writeKey(file+".new", next)
	})
	if err != nil {
		return fmt.Errorf("rotate the master key: %w", err)
	}

	if inFile {
		if err := os.Rename(file+".new", file); err != nil {
			return fmt.Errorf("the values are sealed under the key in %s.new: rename it to secret.key: %w",
				file, err)
		}
	}

	fmt.Printf("%d variables and secrets are sealed under the key %s now.\n", count, box.KeyID())
	if !inFile {
		fmt.Println("Start PiCloud with PICLOUD_SECRET_KEY set to the new key. " +
			"Sessions and cursors of the old one have ended.")
	}

	return nil
}

// requireStopped refuses while a node uses the database: it would go on with the old key. The data
// directory's lock says so of PiCloud's own PostgreSQL, which no other process can use.
func requireStopped(ctx context.Context, n *node) error {
	if n.postgres != nil {
		return nil
	}

	living, err := n.db.Queries().LivingNodes(ctx)
	if err != nil {
		return fmt.Errorf("look for nodes that run: %w", db.Translate(err))
	}
	if len(living) == 0 {
		return nil
	}

	node := living[0]
	return fmt.Errorf("the node %q runs (heard of %s ago): stop every node before the key is rotated; "+
		"one that was killed counts as stopped after 30s", node.Name, time.Duration(node.Silent)*time.Second)
}

// nextKey takes the key that was given, or makes one if the present one is a file of PiCloud's own.
func (c *RotateKeyCmd) nextKey() (key []byte, inFile bool, err error) {
	if c.NewSecretKey != "" {
		key, err = base64.StdEncoding.DecodeString(c.NewSecretKey)
		if err != nil || len(key) != keySize {
			return nil, false, errors.New("PICLOUD_NEW_SECRET_KEY must be 32 bytes in base64: " +
				"openssl rand -base64 32")
		}
		return key, c.SecretKey == "", nil
	}

	if c.SecretKey != "" {
		return nil, false, errors.New("the master key comes from PICLOUD_SECRET_KEY: give the new one as " +
			"PICLOUD_NEW_SECRET_KEY")
	}

	key = make([]byte, keySize)
	_, _ = rand.Read(key)
	return key, true, nil
}
