// Command callboard is the whole portal: server, linter and operator's tools.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/callboard/callboard/cmd/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
