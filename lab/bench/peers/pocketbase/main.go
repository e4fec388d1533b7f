// Command pocketbase is PocketBase with its JavaScript routes, a peer of the benchmark. It is a module of its own.
package main

import (
	"log"
	"os"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/plugins/jsvm"
)

func main() {
	app := pocketbase.New()
	jsvm.MustRegister(app, jsvm.Config{HooksDir: os.Getenv("HOOKS"), HooksPoolSize: 25})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}
