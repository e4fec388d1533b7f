package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// Upgraded says what an upgrade did.
type Upgraded struct {
	// From and To are major versions.
	From, To int
	// Kept is the directory with the cluster as it was.
	Kept string
}

// Upgrade moves the data of a cluster to a new one of the newest major version that is installed. No program
// uses the cluster meanwhile. copyData fills the databases of the new server from the old one. An error
// leaves the cluster as it was; a crash leaves either of the two, whole.
func Upgrade(
	ctx context.Context, o Options, copyData func(ctx context.Context, from, to *Server) error,
) (Upgraded, error) {
	p, err := placeOf(o.Dir)
	if err != nil {
		return Upgraded{}, err
	}
	if err := p.finishUpgrade(); err != nil {
		return Upgraded{}, err
	}

	have, err := clusterVersion(p.dir)
	if err != nil {
		return Upgraded{}, err
	}

	newest, err := Find(0)
	if err != nil {
		return Upgraded{}, err
	}
	if newest.Major <= have {
		return Upgraded{}, fmt.Errorf("the data is that of PostgreSQL %d, and this machine has no later one:"+
			" install the package of a later version, such as postgresql-%d", have, have+1)
	}

	kept := p.dir + "-" + strconv.Itoa(have)
	if _, err := os.Lstat(kept); err == nil {
		return Upgraded{}, fmt.Errorf("%s is left of an earlier upgrade: delete it, or move it away", kept)
	}

	if err := p.fillNext(ctx, o, newest, copyData); err != nil {
		return Upgraded{}, err
	}
	if err := os.Rename(p.next(), p.ready()); err != nil {
		return Upgraded{}, fmt.Errorf("name the new cluster: %w", err)
	}
	if err := os.Rename(p.dir, kept); err != nil {
		return Upgraded{}, fmt.Errorf("move the old cluster away: %w", err)
	}
	return Upgraded{From: have, To: newest.Major, Kept: kept}, p.finishUpgrade()
}

// next is where an upgrade makes the new cluster, and ready where that lies when it is whole.
func (p place) next() string { return p.dir + ".next" }

func (p place) ready() string { return p.dir + ".ready" }

// finishUpgrade puts a new cluster that is whole in place of one that was moved away. Where the old one is
// still there the new one is deleted: the old one may go on changing.
func (p place) finishUpgrade() error {
	if _, err := os.Lstat(p.dir); err == nil {
		if err := os.RemoveAll(p.ready()); err != nil {
			return fmt.Errorf("clear an unfinished upgrade: %w", err)
		}
		return nil
	}
	if err := os.Rename(p.ready(), p.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("finish the upgrade of PostgreSQL: %w", err)
	}
	return nil
}

// fillNext makes the new cluster, and copies the old one's data into it.
func (p place) fillNext(
	ctx context.Context, o Options, newest Binaries,
	copyData func(ctx context.Context, from, to *Server) error,
) error {
	next := place{dir: p.next(), home: p.home, name: p.name + ".next"}

	// What an upgrade that was cut off left there.
	if err := (&Server{place: next, log: o.Log}).stopLeftover(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(next.dir); err != nil {
		return fmt.Errorf("clear an unfinished upgrade: %w", err)
	}
	acc, err := AccountOf(p.dir)
	if err != nil {
		return err
	}

	from, err := Start(ctx, o)
	if err != nil {
		return err
	}
	to, err := startAt(ctx, next, newest, acc, o)
	if err != nil {
		return errors.Join(err, from.Stop())
	}

	err = copyData(ctx, from, to)
	err = errors.Join(err, to.Stop(), from.Stop())
	if err != nil {
		_ = os.RemoveAll(next.dir)
	}
	return err
}
