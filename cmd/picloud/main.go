package main

import "picloud/internal/executor/sandbox"

func main() { _ = sandbox.Main() }
