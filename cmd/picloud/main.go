// The number of CPUs is read once: looking again every second would keep an idle server awake.
//go:debug updatemaxprocs=0

// Command picloud is the whole of PiCloud: server, sandbox and tools in one binary.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"picloud/internal/cloud"
	"picloud/internal/executor"
	"picloud/internal/executor/sandbox"
	"picloud/internal/history"
)

// version is set by the build.
var version = "dev"

// CLI is the command line.
type CLI struct {
	Serve         ServeCmd         `cmd:"" default:"withargs" help:"Run PiCloud (the default)."`
	Manager       ManagerCmd       `cmd:"" help:"Run the dashboard and the API alone, as one service of a cluster."`
	Orchestrator  OrchestratorCmd  `cmd:"" help:"Run endpoints, events and schedules alone, as a service on each node of a cluster."`
	Executor      ExecutorCmd      `cmd:"" help:"Run the sandboxes of one machine for the other services."`
	Config        ConfigCmd        `cmd:"" help:"Print the configuration, without secrets."`
	ResetPassword ResetPasswordCmd `cmd:"" help:"Give a user a new random password, and activate them."`
	User          UserCmd          `cmd:"" help:"List users, or add one."`
	RotateKey     RotateKeyCmd     `cmd:"" help:"Seal variables and secrets under a new master key; works while PiCloud is stopped."`
	Backup        BackupCmd        `cmd:"" help:"Write the database to a file, while PiCloud runs."`
	Restore       RestoreCmd       `cmd:"" help:"Fill an empty database from a backup; it stays on hold until picloud release."`
	Release       ReleaseCmd       `cmd:"" help:"Let a restored copy handle events and fire schedules."`
	Doctor        DoctorCmd        `cmd:"" help:"Check the installation: commits, connections, disk, ledgers, leases, schedules, nodes, clock, master key and sandbox. Changes nothing."`
	Upgrade       UpgradeCmd       `cmd:"" name:"upgrade-postgres" help:"Move PiCloud's own PostgreSQL to the newest major version on this machine; works while PiCloud is stopped."`
	Version       VersionCmd       `cmd:"" help:"Print the version."`
	Licenses      LicensesCmd      `cmd:"" help:"Print the licences of everything that this program contains."`
	Sandbox       SandboxCmd       `cmd:"" hidden:"" help:"A sandbox process; started by picloud itself."`
}

func main() {
	// A sandbox child must start fast: nothing else comes before it.
	if len(os.Args) == 2 && os.Args[1] == "sandbox" {
		if err := sandbox.Main(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}

	if err := loadSecretFiles(); err != nil {
		fail(err)
	}
	var cli CLI
	k := kong.Parse(&cli,
		kong.Name("picloud"),
		kong.Description("A self-hosted, event-driven serverless platform."),
		kong.ShortUsageOnError(), // the sentence, not a page before it
	)
	if err := k.Run(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "picloud:", sentence(err))
	os.Exit(1)
}

// sentence is an error as an operator reads it: the message without its code, which is for programs, and with
// the cause, which only the operator may see.
func sentence(err error) string {
	var known *cloud.Error
	if !errors.As(err, &known) {
		return err.Error()
	}

	said := known.Message
	if cause := known.Unwrap(); cause != nil {
		said += ": " + sentence(cause)
	}
	return strings.Replace(err.Error(), known.Error(), said, 1)
}

// ServeCmd runs the server until SIGINT or SIGTERM.
type ServeCmd struct{ Config }

// Run builds the parts, runs them, and stops them in the opposite order.
func (c *ServeCmd) Run() error { return runNode(&c.Config, roleServe) }

func runNode(c *Config, as role) error {
	c.role = as
	if err := c.complete(); err != nil {
		return err
	}

	// The master key is in this process, and sandboxes may be of its user.
	if err := executor.RefuseTracing(); err != nil {
		return err
	}

	// What lives is small and what a request allocates dies with it: collecting less often costs little
	// memory.
	debug.SetGCPercent(400)
	boundMemory(os.Getenv("GOMEMLIMIT"), executor.MachineMemory())

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := openLog(os.Stderr, c.LogFormat)
	unknown, err := unknownVariables(os.Environ())
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		log.Warn("variables that PiCloud does not know have no effect", "names", unknown)
	}

	n, err := start(ctx, c, log)
	if err != nil && ctx.Err() != nil {
		log.Info("stopped while starting", "error", err) // as was asked for
		return nil
	}
	if err != nil {
		return err
	}

	fmt.Printf("PiCloud %s answers at %s\n", version, n.URL())
	if n.madePassword != "" {
		fmt.Printf("First owner: username %q, password %q (shown this once)\n",
			c.AdminUsername, n.madePassword)
	}

	select {
	case <-ctx.Done():
		log.Info("stopping", "grace", c.ShutdownGrace)
		stop() // a second signal ends at once
		n.Stop()
		return nil
	case err := <-n.failed:
		n.Stop()
		return err
	}
}

// openLog makes the program's log, and the libraries' too. What they write by package log gets the debug
// level, which is not kept: net/http has no other place for what a script's upstream sends on an idle
// connection, and prints the bytes.
func openLog(w io.Writer, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}

	var handler slog.Handler = slog.NewTextHandler(w, opts)
	if format == "json" {
		handler = slog.NewJSONHandler(w, opts)
	}

	log := slog.New(handler)
	slog.SetDefault(log)
	slog.SetLogLoggerLevel(slog.LevelDebug)

	return log
}

// ConfigCmd prints what serve would use.
type ConfigCmd struct{ Config }

// Run prints one NAME=value a line.
func (c *ConfigCmd) Run() error {
	if err := c.complete(); err != nil {
		return err
	}

	v := reflect.ValueOf(c.Config)
	for f := range v.NumField() {
		field := v.Type().Field(f)
		name := field.Tag.Get("env")
		if name == "" {
			continue
		}

		value := fmt.Sprint(v.Field(f).Interface())
		if value != "" && (field.Tag.Get("secret") != "" || name == "DATABASE_URL") {
			value = "(set)"
		}
		fmt.Printf("%s=%s\n", name, value)
	}

	return nil
}

// DoctorCmd checks an installation.
type DoctorCmd struct{ Config }

var errNotWell = errors.New("some checks failed")

// Run prints a line for each check and fails if one is bad.
func (c *DoctorCmd) Run() error {
	return c.withDatabase(func(ctx context.Context, n *node) error {
		if err := n.buildExecutor(); err != nil {
			return err
		}
		return examine(ctx, n, os.Stdout)
	})
}

func examine(ctx context.Context, n *node, w io.Writer) error {
	report, err := history.Examine(ctx, history.Installation{
		Whole:   true,
		DB:      n.db,
		KeyID:   n.secrets.KeyID(),
		DataDir: n.ownData,
	})
	report.Findings = append(report.Findings, n.checkSandbox(ctx))

	// What was found before an error may be the reason for it.
	verdict := err
	for _, f := range report.Findings {
		if _, err := fmt.Fprintf(w, "%-4s  %-12s  %s\n", f.State, f.Check, f.Text); err != nil {
			return err
		}
		if f.State == history.FindingBad && verdict == nil {
			verdict = errNotWell
		}
	}

	return verdict
}

// VersionCmd prints the version.
type VersionCmd struct{}

// Run prints it.
func (VersionCmd) Run() error {
	fmt.Println(version)
	return nil
}

// SandboxCmd stands in the command line so that it is documented; main handles it.
type SandboxCmd struct{}

// Run refuses a call with further arguments.
func (SandboxCmd) Run() error { return errors.New("sandbox takes no arguments") }
